"""ID and profile photos by the rules of each document: make, check and print them. Nothing is generated."""
