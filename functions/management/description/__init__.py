"""The API's description as OpenAPI 3.1: from the routes' own types, and what holds for all of them."""
