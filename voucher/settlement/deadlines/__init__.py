"""Until when each sum had to be paid, who holds it now and for how many days it is late; and what a structure reads of it."""
