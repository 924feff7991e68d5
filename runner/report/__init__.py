"""What people look at after a run: pictures, scores, models and times in one HTML page and one JSON file."""
