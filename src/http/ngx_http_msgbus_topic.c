
/*
 * Copyright (C) the msgbus authors
 */


/*
 * Topics: what readers have asked for, once for all who ask the same.
 *
 * A reader who waits is to be small.  The channel's name and its hashes, and
 * the configuration of the location, are the same for each of a crowd: so they
 * stand here, found again by all that tells one topic from another.
 */


#include "ngx_http_msgbus_topic.h"


/* what stands before the channel's name, or the list of several, in a key */
typedef struct {
    void                   **loc_conf;
    void                   **srv_conf;
    uint32_t                 form;
    uint32_t                 scope;
    ngx_uint_t               max_events;
    size_t                   max_bytes;
    uint32_t                 name;
    uint32_t                 history;
    uint32_t                 newest_first;
} ngx_http_msgbus_topic_key_t;


static ngx_http_msgbus_topic_t *ngx_http_msgbus_topic_create(
    ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass, ngx_str_t *key,
    uint32_t hash);


static ngx_rbtree_t       ngx_http_msgbus_topics;
static ngx_rbtree_node_t  ngx_http_msgbus_topics_sentinel;


ngx_http_msgbus_topic_t *
ngx_http_msgbus_topic(ngx_http_request_t *r, ngx_http_msgbus_pass_t *pass,
    ngx_http_msgbus_reader_kind_t *kind)
{
    uint32_t                      hash;
    ngx_str_t                     key;
    ngx_str_node_t               *node;
    ngx_http_msgbus_topic_t      *topic;
    ngx_http_msgbus_topic_key_t   k;
    u_char                        text[sizeof(ngx_http_msgbus_topic_key_t)
                                       + NGX_MSGBUS_CHANNEL_LEN
                                       + NGX_MSGBUS_MANY_LEN], *p;

    if (ngx_http_msgbus_topics.root == NULL) {
        ngx_rbtree_init(&ngx_http_msgbus_topics,
                        &ngx_http_msgbus_topics_sentinel,
                        ngx_str_rbtree_insert_value);
    }

    ngx_memzero(&k, sizeof(ngx_http_msgbus_topic_key_t));

    k.loc_conf = r->loc_conf;
    k.srv_conf = r->srv_conf;
    k.form = pass->form;
    k.scope = pass->query.scope;
    k.max_events = pass->query.max_events;
    k.max_bytes = pass->query.max_bytes;
    k.name = pass->query.name;
    k.history = pass->history;
    k.newest_first = pass->query.newest_first;

    key.data = text;

    p = ngx_cpymem(text, &k, sizeof(k));
    p = ngx_cpymem(p, pass->name.data, pass->name.len);

    if (k.scope == NGX_MSGBUS_MANY) {
        p = ngx_cpymem(p, pass->query.many->text.data,
                       pass->query.many->text.len);
    }

    key.len = p - text;

    hash = ngx_crc32_long(key.data, key.len);

    node = ngx_str_rbtree_lookup(&ngx_http_msgbus_topics, &key, hash);

    if (node) {
        topic = (ngx_http_msgbus_topic_t *) node;

    } else {
        topic = ngx_http_msgbus_topic_create(r, pass, &key, hash);
        if (topic == NULL) {
            return NULL;
        }
    }

    topic->owners++;
    topic->kind = kind;

    return topic;
}


static ngx_http_msgbus_topic_t *
ngx_http_msgbus_topic_create(ngx_http_request_t *r,
    ngx_http_msgbus_pass_t *pass, ngx_str_t *key, uint32_t hash)
{
    size_t                    size, channel;
    ngx_str_t                 hide;
    ngx_msgbus_many_t        *many;
    ngx_msgbus_channel_t     *ch;
    ngx_http_msgbus_topic_t  *topic;

    ch = pass->channel;

    many = pass->query.scope == NGX_MSGBUS_MANY ? pass->query.many : NULL;

    channel = offsetof(ngx_msgbus_channel_t, levels)
              + ch->depth * sizeof(ngx_msgbus_level_t);

    size = offsetof(ngx_http_msgbus_topic_t, channel) + channel;

    if (many) {
        size = ngx_align(size, sizeof(void *)) + NGX_MSGBUS_MANY_SIZE(many);
    }

    topic = ngx_alloc(size + key->len, r->connection->log);
    if (topic == NULL) {
        return NULL;
    }

    topic->node.node.key = hash;
    topic->node.str.len = key->len;
    topic->node.str.data = (u_char *) topic + size;
    ngx_memcpy(topic->node.str.data, key->data, key->len);

    topic->owners = 0;
    ngx_str_null(&topic->kept);

    topic->srv_conf = r->srv_conf;
    topic->loc_conf = r->loc_conf;
    topic->clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    topic->lcf = ngx_http_get_module_loc_conf(r, ngx_http_msgbus_module);

    topic->form = pass->form;
    topic->query = pass->query;
    topic->query.channel = &topic->channel;
    topic->query.after = 0;
    topic->query.asked = 0;
    topic->query.latest = 0;
    topic->query.history = pass->history;

    ngx_str_null(&hide);
    topic->query.hide = hide;

    ngx_memcpy(&topic->channel, ch, channel);

    topic->channel.name.len = pass->name.len;
    topic->channel.name.data = topic->node.str.data
                               + sizeof(ngx_http_msgbus_topic_key_t);

    topic->query.many = NULL;

    if (many) {
        size -= NGX_MSGBUS_MANY_SIZE(many);

        topic->query.many = (ngx_msgbus_many_t *) ((u_char *) topic + size);
        ngx_memcpy(topic->query.many, many, NGX_MSGBUS_MANY_SIZE(many));

        topic->query.many->text.data = topic->channel.name.data
                                       + pass->name.len;
    }

    ngx_rbtree_insert(&ngx_http_msgbus_topics, &topic->node.node);

    return topic;
}


void
ngx_http_msgbus_topic_release(ngx_http_msgbus_topic_t *topic)
{
    if (--topic->owners == 0) {
        ngx_rbtree_delete(&ngx_http_msgbus_topics, &topic->node.node);

        if (topic->kept.data) {
            ngx_free(topic->kept.data);
        }

        ngx_free(topic);
    }
}
