
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _SUBSCRIBERS_H_INCLUDED_
#define _SUBSCRIBERS_H_INCLUDED_


#include "load.h"


/* the life of the n-th process of subscribers; returns when it cannot begin */
void subscriber_process(int n);


#endif /* _SUBSCRIBERS_H_INCLUDED_ */
