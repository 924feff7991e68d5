"""Where a picture comes from: written into the file when it is saved, signed if the user wishes, and read back."""
