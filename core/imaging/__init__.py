"""Pictures: tensors, colour, filters, warps, files, text and charts. Every other room stands on it."""
