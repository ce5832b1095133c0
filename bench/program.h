
/*
 * Copyright (C) the msgbus authors
 */


/*
 * What each C program of the bench needs: an end with a sentence, a clock, and
 * addresses that lead to nobody else.
 */


#ifndef _PROGRAM_H_INCLUDED_
#define _PROGRAM_H_INCLUDED_


#include <netinet/in.h>
#include <stdint.h>


#define SECOND  1000000000ULL


/* says what is wrong, with errno's words where it is set, and ends with 1 */
void die(const char *text) __attribute__ ((noreturn));

/* nanoseconds of CLOCK_MONOTONIC, which is the same in all processes */
uint64_t now(void);

/* "ADDRESS:PORT" of 127/8; dies of anything else, with what it should be */
struct sockaddr_in loopback(const char *text, const char *usage);

/* as many descriptors as this process may have; returns their number */
uint64_t all_descriptors(void);


#endif /* _PROGRAM_H_INCLUDED_ */
