
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _POSTER_H_INCLUDED_
#define _POSTER_H_INCLUDED_


#include "load.h"


/* a line of the standard input; answers with one of the standard output */
void command(char *text);


#endif /* _POSTER_H_INCLUDED_ */
