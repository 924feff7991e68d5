"""What stands between a workflow and a server, found before anything is uploaded."""
