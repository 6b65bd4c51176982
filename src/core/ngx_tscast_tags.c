
/*
 * Copyright (C) the tscast authors
 */


/*
 * Viewers of FLV: a frame holds whole tags, or a part of one tag that is
 * longer than a frame, so that a viewer knows where it is in a tag.  Times
 * that start near 0 cost four bytes and two more pieces for each tag:
 *
 *     ring      | 9 len | time | stream, media, length | 9 len | time | ...
 *     pieces    [=======)      [===============================)
 *     times             [======)                               [======)
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>

#include "ngx_tscast_hub.h"


/* for a tag with a time of its own, whose pieces lie in two chunks each */
#define NGX_TSCAST_TAGS_IOVS   8

/* ms after which no tag belongs before the one that a viewer began with */
#define NGX_TSCAST_TAGS_SETTLE 5000

/* ms between the last tag of a feed and the first of the next, with zero */
#define NGX_TSCAST_TAGS_STEP   40


typedef struct {
    uint64_t                  offset;
    uint64_t                  tag;        /* where the one in progress ends */
    size_t                    len;        /* of it */
    uint32_t                  time;
} ngx_tscast_tags_pos_t;


static ngx_int_t ngx_tscast_tags_fill(ngx_tscast_viewer_t *v);
static uint32_t ngx_tscast_tags_base(ngx_tscast_viewer_t *v, uint32_t time);
static ngx_int_t ngx_tscast_tags_frame(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd, uint64_t head,
    ngx_tscast_tags_pos_t *pos);
static ngx_int_t ngx_tscast_tags_begin(ngx_tscast_burst_t *b,
    ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd,
    ngx_tscast_tags_pos_t *pos);
static ngx_int_t ngx_tscast_tags_range(ngx_tscast_burst_t *b,
    ngx_tscast_reading_t *rd, uint64_t offset, size_t len);
static ngx_int_t ngx_tscast_tags_header(ngx_tscast_reading_t *rd,
    uint64_t offset, size_t *len, uint32_t *time);


/* of one viewer at a time; a frame at most */

static ngx_tscast_opening_t  ngx_tscast_tags_opening;
static u_char                ngx_tscast_tags_buf[NGX_TSCAST_FRAME];


ngx_int_t
ngx_tscast_tags_tune(ngx_tscast_viewer_t *v, ngx_tscast_reading_t *rd)
{
    size_t                len;
    uint32_t              time;
    uint64_t              from;
    ngx_int_t             rc;
    ngx_tscast_ts_rap_t   rap;

    if (v->owed) {
        rc = ngx_tscast_tags_fill(v);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    from = ngx_max(v->cursor, rd->view.tail);

    rc = ngx_tscast_facts_find(rd->feed, from, !v->first,
                               &ngx_tscast_tags_opening.tables, &rap);

    if (rc != NGX_OK || rap.offset >= rd->view.head
        || ngx_tscast_tags_header(rd, rap.offset, &len, &time) != NGX_OK)
    {
        return NGX_AGAIN;
    }

    ngx_tscast_viewer_skip(v, rd, rap.offset);

    v->base = ngx_tscast_tags_base(v, time);
    v->time = time;
    v->timed = 1;
    v->settled = 0;

    len = ngx_tscast_flv_start(ngx_tscast_tags_buf,
                               &ngx_tscast_tags_opening.flv,
                               v->zero ? time - v->base : time,
                               v->sent == 0);

    v->cursor = rap.offset;
    v->tag = rap.offset;
    v->wait = 0;
    v->broken = 0;

    return ngx_tscast_send_frame(v, ngx_tscast_tags_buf, len);
}


/*
 * The rest of a tag that the window has taken away: its length was promised,
 * so that zeros follow, and the length once more.
 */

static ngx_int_t
ngx_tscast_tags_fill(ngx_tscast_viewer_t *v)
{
    u_char     *p, trailer[NGX_TSCAST_FLV_TRAILER];
    size_t      n, at;
    ngx_int_t   rc;
    ngx_uint_t  i;

    p = ngx_tscast_tags_buf;

    (void) ngx_tscast_flv_put32(trailer, v->tag_len - NGX_TSCAST_FLV_TRAILER);

    do {
        n = ngx_min(v->owed, NGX_TSCAST_FRAME);

        ngx_memzero(p, n);

        for (i = 0; i < NGX_TSCAST_FLV_TRAILER; i++) {
            at = v->owed + i - NGX_TSCAST_FLV_TRAILER;

            if (at < n) {
                p[at] = trailer[i];
            }
        }

        v->owed -= n;

        rc = ngx_tscast_send_frame(v, p, n);

    } while (rc == NGX_OK && v->owed);

    return rc;
}


/*
 * The time at which the viewer begins, and which is its 0, if it has one of
 * its own: with the next feed its times go on from where they are.
 */

static uint32_t
ngx_tscast_tags_base(ngx_tscast_viewer_t *v, uint32_t time)
{
    if (!v->timed) {
        return time;
    }

    if (!v->broken || !v->first) {
        return v->base;
    }

    return v->zero ? time - (v->time - v->base) - NGX_TSCAST_TAGS_STEP : time;
}


ngx_int_t
ngx_tscast_tags_gather(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd, uint64_t head)
{
    ngx_int_t              rc;
    ngx_tscast_tags_pos_t  pos;

    pos.offset = v->cursor;
    pos.tag = v->tag;
    pos.len = v->tag_len;
    pos.time = v->time;

    rc = NGX_OK;

    while (rc == NGX_OK && pos.offset < head
           && b->nframes < NGX_TSCAST_FRAMES
           && b->niov + 1 + NGX_TSCAST_TAGS_IOVS <= NGX_TSCAST_IOVS)
    {
        rc = ngx_tscast_tags_frame(b, v, rd, head, &pos);
    }

    if (rc == NGX_OK && b->nframes == 0) {
        /* there were none but early tags */
        v->cursor = pos.offset;
        v->tag = pos.tag;
    }

    return rc;
}


/* NGX_OK, or NGX_DECLINED without a frame: bytes of it are gone */

static ngx_int_t
ngx_tscast_tags_frame(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd, uint64_t head, ngx_tscast_tags_pos_t *pos)
{
    size_t               n;
    ngx_int_t            rc;
    ngx_tscast_frame_t  *f;

    rc = NGX_OK;
    f = ngx_tscast_burst_frame(b, v);

    while (pos->offset < head && f->media < NGX_TSCAST_FRAME
           && b->niov + NGX_TSCAST_TAGS_IOVS <= NGX_TSCAST_IOVS)
    {
        if (pos->offset == pos->tag) {
            rc = ngx_tscast_tags_begin(b, v, rd, pos);

            if (rc != NGX_OK) {
                break;
            }
        }

        n = ngx_min(pos->tag - pos->offset, NGX_TSCAST_FRAME - f->media);

        rc = ngx_tscast_tags_range(b, rd, pos->offset, n);

        if (rc != NGX_OK) {
            break;
        }

        pos->offset += n;
    }

    if (rc == NGX_DECLINED || f->media == 0) {
        ngx_tscast_burst_cancel(b);

    } else {
        f->next = pos->offset;
        f->tag = pos->tag;
        f->tag_len = pos->len;
        f->time = pos->time;

        ngx_tscast_burst_close(b, v);
    }

    return (rc == NGX_DECLINED) ? rc : NGX_OK;
}


/*
 * A tag begins: passes over early ones, writes the time of one that has its
 * own.  NGX_OK, NGX_DONE when it is for the next frame, NGX_DECLINED.
 */

static ngx_int_t
ngx_tscast_tags_begin(ngx_tscast_burst_t *b, ngx_tscast_viewer_t *v,
    ngx_tscast_reading_t *rd, ngx_tscast_tags_pos_t *pos)
{
    size_t               len;
    u_char              *time_buf;
    uint32_t             time;
    ngx_tscast_frame_t  *f;

    f = &b->frames[b->nframes - 1];

    if (ngx_tscast_tags_header(rd, pos->offset, &len, &time) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (f->media && f->media + len > NGX_TSCAST_FRAME) {
        return NGX_DONE;
    }

    pos->tag = pos->offset + len;

    if ((int32_t) (time - v->base) > NGX_TSCAST_TAGS_SETTLE) {
        v->settled = 1;
    }

    if (!v->settled && (int32_t) (time - v->base) < 0) {

        /* before the key frame that the viewer has begun with */

        pos->offset = pos->tag;
        return NGX_DONE;
    }

    pos->len = len;
    pos->time = time;

    if (!v->zero) {
        return NGX_OK;
    }

    if (ngx_tscast_tags_range(b, rd, pos->offset, NGX_TSCAST_FLV_TIME)
        != NGX_OK)
    {
        return NGX_DECLINED;
    }

    time_buf = b->times[b->ntimes++];

    ngx_tscast_flv_set_time(time_buf, time - v->base);
    ngx_tscast_burst_piece(b, time_buf, NGX_TSCAST_FLV_TIME_LEN);

    pos->offset += NGX_TSCAST_FLV_TIME + NGX_TSCAST_FLV_TIME_LEN;

    return NGX_OK;
}


/* pieces of the ring; what goes on where the last one ends is one with it */

static ngx_int_t
ngx_tscast_tags_range(ngx_tscast_burst_t *b, ngx_tscast_reading_t *rd,
    uint64_t offset, size_t len)
{
    size_t               n;
    u_char              *p;
    struct iovec        *last;
    ngx_tscast_frame_t  *f;

    f = &b->frames[b->nframes - 1];

    for ( /* void */ ; len; len -= n, offset += n) {

        p = ngx_tscast_ring_at(&rd->feed->ring, &rd->view, offset, &n);

        if (p == NULL) {
            return NGX_DECLINED;
        }

        n = ngx_min(n, len);

        if (f->media) {
            last = &b->iov[b->niov - 1];

            if ((u_char *) last->iov_base + last->iov_len == p) {
                last->iov_len += n;
                f->media += n;
                continue;
            }
        }

        ngx_tscast_burst_piece(b, p, n);
    }

    return NGX_OK;
}


/* length of the whole tag and its time; NGX_DECLINED: it is gone */

static ngx_int_t
ngx_tscast_tags_header(ngx_tscast_reading_t *rd, uint64_t offset, size_t *len,
    uint32_t *time)
{
    size_t   n, have;
    u_char  *p, header[NGX_TSCAST_FLV_HEADER];

    for (have = 0; have < NGX_TSCAST_FLV_HEADER; have += n) {

        p = ngx_tscast_ring_at(&rd->feed->ring, &rd->view, offset + have, &n);

        if (p == NULL) {
            return NGX_DECLINED;
        }

        n = ngx_min(n, NGX_TSCAST_FLV_HEADER - have);

        ngx_memcpy(header + have, p, n);
    }

    *len = NGX_TSCAST_FLV_HEADER + ngx_tscast_flv_get_size(header)
           + NGX_TSCAST_FLV_TRAILER;
    *time = ngx_tscast_flv_get_time(header);

    return NGX_OK;
}
