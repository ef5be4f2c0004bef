"""What cures it? Playbooks, when they run, what stops them, and one brain that walks them step by step."""
