"""What Windows says: text in, facts out; one command per file. And the questions (probes) and repairs (changes)."""
