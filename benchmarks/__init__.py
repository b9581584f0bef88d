"""How fast every bundle answers, beside what it could be at best and what a user would take instead."""
