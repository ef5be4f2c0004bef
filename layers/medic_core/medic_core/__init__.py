"""Medic's core: what it does, what is true, and how it speaks to the outside.

    functions ──▶ flows ──▶ domain          the domain has no arrow out of itself
        │  │        ├─────▶ store  ──▶ domain (values only)
        │  │        └─────▶ ports  ◀·· adapters (kept by shape, chosen in functions)
        │  └─▶ api ──▶ store, adapters
        └────▶ adapters (to hand them in), telemetry

`flows/` is what Medic does, a verb a file. `domain/` is what is true: pure, time comes in as an argument.
`store/` is all SQL, a table a file. `adapters/` is everybody else. `api/` is the front door.
"""

__version__ = "0.1.0"
