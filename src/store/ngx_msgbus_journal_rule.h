
/*
 * Copyright (C) the msgbus authors
 */


#ifndef _NGX_MSGBUS_JOURNAL_RULE_H_INCLUDED_
#define _NGX_MSGBUS_JOURNAL_RULE_H_INCLUDED_


/*
 * The rules that keep a journal from losing an event or storing it twice.
 * In the module each is always kept, and costs nothing.  The unit test is
 * compiled with NGX_MSGBUS_JOURNAL_RULES and leaves one out at a time: it has
 * to see that something is lost then.
 */

#define NGX_MSGBUS_RULE_SEED        1   /* a crc knows file and place */
#define NGX_MSGBUS_RULE_SYNC        2   /* synced before it is told of */
#define NGX_MSGBUS_RULE_FILE_SYNC   3   /* a new file before its name */
#define NGX_MSGBUS_RULE_FOLDER      4   /* the name before its first use */
#define NGX_MSGBUS_RULE_DAMAGE      5   /* what was durable can not be torn */
#define NGX_MSGBUS_RULE_BEHIND      6   /* marks count behind what is bad */
#define NGX_MSGBUS_RULE_CUT         7   /* no append behind a cut */
#define NGX_MSGBUS_RULE_FOREIGN     8   /* an unsynced tail is written anew */
#define NGX_MSGBUS_RULE_FAILED      9   /* a failed sync is not tried again */
#define NGX_MSGBUS_RULE_KEPT        10  /* kept from the block's start on */
#define NGX_MSGBUS_RULE_BEGUN       11  /* begun ids go to nobody else */
#define NGX_MSGBUS_RULE_AHEAD       12  /* the mark of ids is ahead */
#define NGX_MSGBUS_RULE_HOLE        13  /* lost ids are told of */
#define NGX_MSGBUS_RULE_LAST        14  /* synced before the next segment */
#define NGX_MSGBUS_RULE_UNLINK      15  /* one by one, the oldest first */
#define NGX_MSGBUS_RULE_LOCK        16  /* one writer at a time */
#define NGX_MSGBUS_RULE_DIRTY       17  /* half a change is said to be one */
#define NGX_MSGBUS_RULE_TAIL        18  /* look for what others left */
#define NGX_MSGBUS_RULE_NEWEST      19  /* the newest segment stays */
#define NGX_MSGBUS_RULE_CLOCK       20  /* a clock that jumped ages nobody */
#define NGX_MSGBUS_RULE_MARK        21  /* the mark file counts, too */
#define NGX_MSGBUS_RULE_STARTED     22  /* a start undoes a clean stop */
#define NGX_MSGBUS_RULE_BEGIN       23  /* a write is told of before it */
#define NGX_MSGBUS_RULE_COPIED      24  /* ids do not go on in a copy */


#if (NGX_MSGBUS_JOURNAL_RULES)

extern ngx_uint_t  ngx_msgbus_journal_left_out;

#define ngx_msgbus_journal_rule(n)  ((n) != ngx_msgbus_journal_left_out)

#else

#define ngx_msgbus_journal_rule(n)  1

#endif


#endif /* _NGX_MSGBUS_JOURNAL_RULE_H_INCLUDED_ */
