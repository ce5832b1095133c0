
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _MSGBUS_JOURNAL_SWAP_H_INCLUDED_
#define _MSGBUS_JOURNAL_SWAP_H_INCLUDED_


/* where a new journal is made, in the folder of the old one */
#define SWAP_MAKE  "repair-make"


/*
 * Of a journal's folder, an open descriptor of it.  What returns an int that
 * is no answer returns 0, or 2, and has said why.
 */

/* has a swap begun, and was not finished? */
int swap_is_open(int folder);

/* a place for the new one, empty; and away with it, while no swap is open */
int swap_make(int folder);
void swap_forget(int folder);

/*
 * The files of the new one are there, and on the disk: it counts from here on.
 * lost: some of the old one's events are.
 */
int swap_begin(int folder, int lost);

/* the open swap, from wherever it is; also 1: it is done, and some are lost */
int swap_finish(const char *folder, int fd);

/* says what failed, by errno; 2 */
int cannot(const char *what, const char *name);


#endif /* _MSGBUS_JOURNAL_SWAP_H_INCLUDED_ */
