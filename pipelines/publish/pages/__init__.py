"""The publishable pages: each module's `view` reads suppressed report tables and nothing else, and returns what its template shows."""
