"""ID and profile photos by the rules of each document: make one, check one, print a sheet of them. Nothing is generated."""
