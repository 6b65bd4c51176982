
/*
 * Copyright (C) the tscast authors
 */


#ifndef _NGX_TSCAST_TS_H_INCLUDED_
#define _NGX_TSCAST_TS_H_INCLUDED_


/*
 * MPEG-2 transport streams (ISO/IEC 13818-1) as pure functions over bytes:
 * no I/O, no allocation, nothing of nginx but its types.
 */


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_TSCAST_TS_PACKET      188

/* how many packets must line up before bytes are taken for a stream */
#define NGX_TSCAST_TS_LOCK        5

/* PIDs whose continuity is known at each random access point */
#define NGX_TSCAST_TS_MAX_PIDS    24

/* packets of PAT and PMTs that a late viewer is given */
#define NGX_TSCAST_TS_MAX_TABLES  16

/* programs of a PAT that are looked at, and longest section of PAT or PMT */
#define NGX_TSCAST_TS_MAX_PROGRAMS  128
#define NGX_TSCAST_TS_SECTION     1024

/* sections of PMTs that may be incomplete at a time */
#define NGX_TSCAST_TS_PARTIAL     4

#define NGX_TSCAST_TS_MAX_START                                              \
    ((NGX_TSCAST_TS_MAX_PIDS + NGX_TSCAST_TS_MAX_TABLES)                      \
     * NGX_TSCAST_TS_PACKET)

#define NGX_TSCAST_TS_SYNC_BYTE   0x47

#define NGX_TSCAST_TS_PAT_PID     0x0000
#define NGX_TSCAST_TS_NULL_PID    0x1fff

#define NGX_TSCAST_TS_NO_CC       0xff

/* what ngx_tscast_ts_parse() returns, or'ed */
#define NGX_TSCAST_TS_TABLES      0x01    /* pids[] or tables[] are new */
#define NGX_TSCAST_TS_RAP         0x02    /* rap is new */
#define NGX_TSCAST_TS_TIME        0x04    /* pcr is new */


typedef enum {
    NGX_TSCAST_TS_OTHER = 0,
    NGX_TSCAST_TS_MPEG_VIDEO,             /* MPEG-1 and MPEG-2 */
    NGX_TSCAST_TS_MPEG4_VIDEO,
    NGX_TSCAST_TS_H264,
    NGX_TSCAST_TS_HEVC,
    NGX_TSCAST_TS_OTHER_VIDEO,
    NGX_TSCAST_TS_AUDIO
} ngx_tscast_ts_codec_e;


/*
 * Cuts bytes of any split into whole packets.  Until NGX_TSCAST_TS_LOCK
 * packets line up, bytes are held back or dropped.
 */

typedef struct {
    uint64_t                dropped;      /* bytes that were of no stream */
    uint64_t                resyncs;      /* times that sync was lost */
    size_t                  len;          /* bytes in carry */
    unsigned                locked:1;
    unsigned                datagrams:1;  /* set by the caller: an input may
                                             be missing */
    u_char                  carry[NGX_TSCAST_TS_LOCK * NGX_TSCAST_TS_PACKET];
} ngx_tscast_ts_sync_t;


/* PAT and PMTs, made into packets anew, and the PIDs that they name */

typedef struct {
    ngx_uint_t              npids;
    ngx_uint_t              ntables;
    uint16_t                pids[NGX_TSCAST_TS_MAX_PIDS];
    u_char                  table_pid[NGX_TSCAST_TS_MAX_TABLES];
                                          /* index in pids[] */
    u_char                  tables[NGX_TSCAST_TS_MAX_TABLES]
                                  [NGX_TSCAST_TS_PACKET];
} ngx_tscast_ts_tables_t;


/* a random access point: where a decoder can start */

typedef struct {
    uint64_t                offset;       /* of the packet that starts the
                                             PES packet of the key frame */
    u_char                  cc[NGX_TSCAST_TS_MAX_PIDS];
                                          /* by index in pids[]: the
                                             continuity_counter before it,
                                             or NGX_TSCAST_TS_NO_CC */
} ngx_tscast_ts_rap_t;


/* a section of which the beginning is here */

typedef struct {
    uint16_t                pid;          /* or NGX_TSCAST_TS_NULL_PID */
    u_char                  cc;
    u_char                  duplicate;
    size_t                  len;
    u_char                  buf[NGX_TSCAST_TS_SECTION];
} ngx_tscast_ts_section_t;


typedef struct {
    uint16_t                number;
    uint16_t                pid;          /* of the PMT */
    u_char                  section;      /* of the PAT that names it */
    u_char                  rank;         /* of its best elementary stream,
                                             0 while there is no PMT */
    u_char                  stale;        /* not in the newest PAT so far */
} ngx_tscast_ts_program_t;


/* a section of PAT or PMT that tables are made of */

typedef struct {
    uint16_t                pid;
    uint16_t                number;       /* section of the PAT or program */
    uint16_t                start;        /* in store[] */
    uint16_t                len;
} ngx_tscast_ts_kept_t;


typedef struct {
    ngx_uint_t              nprograms;
    ngx_uint_t              nkept;
    uint16_t                program;      /* the reference program or 0 */
    u_char                  version;      /* of the PAT */
    u_char                  last;         /* last_section_number */
    u_char                  seen[32];     /* sections of the PAT, one a bit */
    u_char                  pmt[1024];    /* PIDs of PMTs, one a bit */
    ngx_uint_t              victim;       /* next of partial[] to reuse */
    ngx_tscast_ts_program_t programs[NGX_TSCAST_TS_MAX_PROGRAMS];
    ngx_tscast_ts_kept_t    kept[NGX_TSCAST_TS_MAX_TABLES];
    u_char                  store[NGX_TSCAST_TS_MAX_TABLES
                                  * NGX_TSCAST_TS_PACKET];
    ngx_tscast_ts_section_t partial[NGX_TSCAST_TS_PARTIAL];
} ngx_tscast_ts_psi_t;


/* the PES packet of the reference PID that is being looked through */

typedef struct {
    ngx_tscast_ts_rap_t     candidate;
    ngx_uint_t              state;
    ngx_uint_t              misses;       /* PES packets in a row that are
                                             no RAP, while they may be */
    ngx_uint_t              sei_state;
    size_t                  sei_type;
    size_t                  sei_size;
    size_t                  header;       /* bytes of PES header had */
    size_t                  skip;         /* bytes of PES header to skip */
    u_char                  head[4];      /* what follows a start code */
    u_char                  nhead;
    u_char                  need;
    u_char                  zeros;        /* before the next byte, up to 2 */
    unsigned                any:1;        /* whatever starts is a RAP */
    unsigned                taken:1;      /* the candidate is a RAP */
    unsigned                params:1;     /* parameters or recovery point */
    unsigned                random:1;     /* random_access_indicator */
    unsigned                scrambled:1;
} ngx_tscast_ts_es_t;


typedef struct {
    uint64_t                packets;
    uint64_t                cc_errors;    /* on PIDs of tables.pids[] */
    uint64_t                tei;          /* transport_error_indicator */
    uint64_t                crc_errors;   /* of sections of PAT and PMTs */
    uint64_t                scrambled;
    uint64_t                discontinuities;

    uint64_t                pcr;          /* last one of the reference
                                             program, in 27 MHz */
    uint16_t                pcr_pid;
    uint16_t                pid;          /* its frames are the RAPs, or
                                             NGX_TSCAST_TS_NULL_PID */
    ngx_tscast_ts_codec_e   codec;        /* of pid */
    ngx_uint_t              no_keys;      /* set by the caller: the video has
                                             key frames no more, as with
                                             intra refresh: any frame will
                                             do, until there is one */

    ngx_tscast_ts_rap_t     rap;
    ngx_tscast_ts_tables_t  tables;       /* ntables is 0 until PAT and PMT
                                             are known */

    uint32_t                duplicates;   /* pids[] whose last packet was
                                             one, a bit each */
    u_char                  cc[NGX_TSCAST_TS_MAX_PIDS];
    ngx_tscast_ts_es_t      es;
    ngx_tscast_ts_psi_t     psi;
} ngx_tscast_ts_parser_t;


/* one packet taken apart */

typedef struct {
    uint64_t                pcr;
    u_char                 *payload;
    size_t                  len;          /* of payload */
    uint16_t                pid;
    u_char                  cc;
    unsigned                start:1;      /* payload_unit_start_indicator */
    unsigned                has_payload:1;
    unsigned                has_pcr:1;
    unsigned                scrambled:1;
    unsigned                discontinuity:1;
    unsigned                random:1;     /* random_access_indicator */
} ngx_tscast_ts_packet_t;


/* what a PMT says about a program */

typedef struct {
    ngx_tscast_ts_codec_e   codec;        /* of pid */
    ngx_uint_t              rank;         /* of pid, 0 if there is none */
    uint16_t                pid;          /* the best elementary stream */
    uint16_t                pcr_pid;
} ngx_tscast_ts_pmt_t;


void ngx_tscast_ts_sync_init(ngx_tscast_ts_sync_t *s);

/*
 * Takes bytes from *pos up to last and moves *pos.  Returns the number of
 * packets in *run: whole, contiguous, inside of the input where possible,
 * else in s->carry and valid until the next call.  0: the input is used up.
 */
ngx_uint_t ngx_tscast_ts_sync(ngx_tscast_ts_sync_t *s, u_char **pos,
    u_char *last, u_char **run);

/* the end of input: returns packets that line up but were too few so far */
ngx_uint_t ngx_tscast_ts_sync_flush(ngx_tscast_ts_sync_t *s, u_char **run);

/* returns 188, 192 or 204 by the period of sync bytes, 0 if there is none */
size_t ngx_tscast_ts_packet_size(u_char *p, size_t len);

void ngx_tscast_ts_parser_init(ngx_tscast_ts_parser_t *p);

/*
 * A whole packet at this offset of the feed; returns NGX_TSCAST_TS_* flags.
 * With TABLES, p->rap.cc goes by the new pids[]; what was copied before does
 * not.
 */
ngx_uint_t ngx_tscast_ts_parse(ngx_tscast_ts_parser_t *p, u_char *packet,
    uint64_t offset);

/*
 * Writes what a viewer is given before it starts at rap; discontinuity: it
 * has seen something else before.  Returns the number of bytes, at most
 * NGX_TSCAST_TS_MAX_START.
 */
size_t ngx_tscast_ts_start(u_char *p, ngx_tscast_ts_tables_t *t,
    ngx_tscast_ts_rap_t *rap, ngx_uint_t discontinuity);

uint32_t ngx_tscast_ts_crc32(u_char *p, size_t len);

/* takes a packet apart; one to be left alone has NGX_TSCAST_TS_NULL_PID */
void ngx_tscast_ts_packet(ngx_tscast_ts_packet_t *pkt, u_char *p);

/* the PMT of the reference program, or NULL */
u_char *ngx_tscast_ts_program(ngx_tscast_ts_parser_t *p, size_t *len);


/* between the files of the parser */

ngx_uint_t ngx_tscast_ts_pid_index(ngx_tscast_ts_tables_t *t, uint16_t pid);

void ngx_tscast_ts_psi_init(ngx_tscast_ts_psi_t *psi);
ngx_uint_t ngx_tscast_ts_psi_packet(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt);
void ngx_tscast_ts_psi_forget(ngx_tscast_ts_psi_t *psi);

/* whole sections with a right CRC; these return NGX_TSCAST_TS_TABLES or 0 */
ngx_uint_t ngx_tscast_ts_pat(ngx_tscast_ts_parser_t *p, u_char *section,
    size_t len);
ngx_uint_t ngx_tscast_ts_pmt(ngx_tscast_ts_parser_t *p, uint16_t pid,
    u_char *section, size_t len);

/* NGX_OK, or NGX_DECLINED: lengths inside of the section do not agree */
ngx_int_t ngx_tscast_ts_pmt_parse(u_char *section, size_t len,
    ngx_tscast_ts_pmt_t *pmt);
/* the elementary streams one by one; NULL: no more */
u_char *ngx_tscast_ts_pmt_first(u_char *section, size_t len);
u_char *ngx_tscast_ts_pmt_next(u_char *section, size_t len, u_char *es);

void ngx_tscast_ts_es_reset(ngx_tscast_ts_es_t *es);

/* lost: something is missing on the reference PID before this packet */
ngx_uint_t ngx_tscast_ts_es_packet(ngx_tscast_ts_parser_t *p,
    ngx_tscast_ts_packet_t *pkt, uint64_t offset, ngx_uint_t lost);


/* ISO/IEC 13818-1, 2.4.3.2 */

static ngx_inline ngx_uint_t
ngx_tscast_ts_get_transport_error_indicator(u_char *p)
{
    return p[1] >> 7;
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_payload_unit_start_indicator(u_char *p)
{
    return (p[1] >> 6) & 1;
}


static ngx_inline uint16_t
ngx_tscast_ts_get_pid(u_char *p)
{
    return (p[1] & 0x1f) << 8 | p[2];
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_transport_scrambling_control(u_char *p)
{
    return p[3] >> 6;
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_adaptation_field_control(u_char *p)
{
    return (p[3] >> 4) & 3;
}


static ngx_inline u_char
ngx_tscast_ts_get_continuity_counter(u_char *p)
{
    return p[3] & 0x0f;
}


/* ISO/IEC 13818-1, 2.4.3.4: where there is an adaptation field */

static ngx_inline size_t
ngx_tscast_ts_get_adaptation_field_length(u_char *p)
{
    return p[4];
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_discontinuity_indicator(u_char *p)
{
    return p[5] >> 7;
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_random_access_indicator(u_char *p)
{
    return (p[5] >> 6) & 1;
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_pcr_flag(u_char *p)
{
    return (p[5] >> 4) & 1;
}


static ngx_inline uint64_t
ngx_tscast_ts_get_program_clock_reference_base(u_char *p)
{
    return (uint64_t) p[6] << 25 | (uint64_t) p[7] << 17
           | (uint64_t) p[8] << 9 | (uint64_t) p[9] << 1 | p[10] >> 7;
}


static ngx_inline uint64_t
ngx_tscast_ts_get_program_clock_reference_extension(u_char *p)
{
    return (p[10] & 1) << 8 | p[11];
}


/* sections: ISO/IEC 13818-1, 2.4.4 */

static ngx_inline u_char
ngx_tscast_ts_get_table_id(u_char *p)
{
    return p[0];
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_section_syntax_indicator(u_char *p)
{
    return p[1] >> 7;
}


static ngx_inline size_t
ngx_tscast_ts_get_section_length(u_char *p)
{
    return (p[1] & 0x0f) << 8 | p[2];
}


/* transport_stream_id of a PAT, program_number of a PMT */

static ngx_inline uint16_t
ngx_tscast_ts_get_table_id_extension(u_char *p)
{
    return p[3] << 8 | p[4];
}


static ngx_inline u_char
ngx_tscast_ts_get_version_number(u_char *p)
{
    return (p[5] >> 1) & 0x1f;
}


static ngx_inline ngx_uint_t
ngx_tscast_ts_get_current_next_indicator(u_char *p)
{
    return p[5] & 1;
}


static ngx_inline u_char
ngx_tscast_ts_get_section_number(u_char *p)
{
    return p[6];
}


static ngx_inline u_char
ngx_tscast_ts_get_last_section_number(u_char *p)
{
    return p[7];
}


/* an entry of a PAT */

static ngx_inline uint16_t
ngx_tscast_ts_get_program_number(u_char *p)
{
    return p[0] << 8 | p[1];
}


static ngx_inline uint16_t
ngx_tscast_ts_get_program_map_pid(u_char *p)
{
    return (p[2] & 0x1f) << 8 | p[3];
}


/* a PMT */

static ngx_inline uint16_t
ngx_tscast_ts_get_pcr_pid(u_char *p)
{
    return (p[8] & 0x1f) << 8 | p[9];
}


static ngx_inline size_t
ngx_tscast_ts_get_program_info_length(u_char *p)
{
    return (p[10] & 0x0f) << 8 | p[11];
}


/* an elementary stream of a PMT */

static ngx_inline u_char
ngx_tscast_ts_get_stream_type(u_char *p)
{
    return p[0];
}


static ngx_inline uint16_t
ngx_tscast_ts_get_elementary_pid(u_char *p)
{
    return (p[1] & 0x1f) << 8 | p[2];
}


static ngx_inline size_t
ngx_tscast_ts_get_es_info_length(u_char *p)
{
    return (p[3] & 0x0f) << 8 | p[4];
}


#endif /* _NGX_TSCAST_TS_H_INCLUDED_ */
