"""The person-level pages: what those who treat, bill and audit work with. Kept in a private folder of their own, numbers not hidden."""
