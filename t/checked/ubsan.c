
/*
 * Copyright (C) the msgbus authors
 */


/*
 * UBSan, linked into the module for "make asan", looks for its options when it
 * has something to report.  That is in a worker, whose environment the kernel
 * does not show any more: nginx has written its title over it.  So they are kept
 * when the module is loaded; else reports would go to nginx's error log, where
 * nobody looks for them.
 */


#include <stdio.h>
#include <stdlib.h>


const char *__ubsan_default_options(void);


static char  options[4096];


__attribute__((constructor))
static void
keep_options(void)
{
    const char  *given;

    given = getenv("UBSAN_OPTIONS");

    if (given != NULL) {
        snprintf(options, sizeof(options), "%s", given);
    }
}


const char *
__ubsan_default_options(void)
{
    return options;
}
