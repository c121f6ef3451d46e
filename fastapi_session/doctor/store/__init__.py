"""What is wrong with a store, its keys and its clock. It is only read: nothing is written, and no key is made."""
