"""comfykit as shipped: its HTTP executor."""

from adapter import serve
from kit import starter

if __name__ == "__main__":
    serve(starter("http"))
