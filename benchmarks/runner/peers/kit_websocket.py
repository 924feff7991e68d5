"""comfykit with its WebSocket executor, its quicker choice."""

from adapter import serve
from kit import starter

if __name__ == "__main__":
    serve(starter("websocket"))
