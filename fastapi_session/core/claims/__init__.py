"""Claims: what one is (`claim`), those most applications need (`ready_made`), and the rules about them (`validators`)."""
