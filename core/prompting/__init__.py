"""Words for generators: professional prompts, traits to keep, subject tokens, descriptions."""
