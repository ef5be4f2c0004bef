"""Who may do what, and whom may we call?"""
