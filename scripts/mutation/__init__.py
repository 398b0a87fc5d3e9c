"""A mutation run: do the tests notice when one small thing in the product is wrong? Driven by cosmic-ray."""
