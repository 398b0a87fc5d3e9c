"""What scripts/chaos.py is made of: the people, what befalls the bot, and the verdict."""
