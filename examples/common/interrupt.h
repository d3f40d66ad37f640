/*
 * Ctrl-C as a question that loops ask, so that a program can write what it
 * has before it ends.
 */
#ifndef EXAMPLES_COMMON_INTERRUPT_H
#define EXAMPLES_COMMON_INTERRUPT_H

/* From now on a first Ctrl-C sets the mark that interrupted() reads, which is
   cleared here; a second one ends the program at once. */
void interrupt_catch(void);

/* Whether Ctrl-C was pressed since interrupt_catch(). */
int interrupted(void);

#endif
