"""Dense landmarks: 468 points of a face and both irises, and what follows from them: pose, open eyes, closed mouth."""
