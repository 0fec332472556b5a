/* SPDX-License-Identifier: Apache-2.0 */
/* `rate`: a task takes no more than its share of the mapping's caps.
 *
 * A bucket per cap fills with the time, up to `burst` seconds' worth.  A record may be taken while
 * something is in it and may overdraw it, so one larger than the cap passes as well.  A task whose
 * bucket is empty is *held*: it lags, like one whose budget is used up, until half a second's worth is
 * there again; its neighbours in the lane read on, and what was fetched for it is fetched again. */
#include "lane_priv.h"

enum { RESUME_MS = 500, LOOK_MS = 1000, HELD_FOR_MS = 2000 };

static double cap_of(int64_t cap, const struct cz_task_settings *s)
{
    return (double)cap / (s->rate_share > 1 ? s->rate_share : 1);
}

static void refill(double *bucket, double cap, double burst_s, double seconds)
{
    *bucket = cap > 0 ? *bucket + cap * seconds : 0;
    if (*bucket > cap * burst_s)
        *bucket = cap * burst_s;
}

static void fill(struct cz_task *t)
{
    struct lane_rate *r = &t->rate;
    cz_time now = cz_now();
    if (now >= r->look_at) { /* the time of the day may have brought other caps */
        r->cap = cz_rate_at(&t->settings.rate, cz_wall_ms());
        r->look_at = now + LOOK_MS * CZ_MS;
    }
    double seconds = r->filled_at ? (double)(now - r->filled_at) / (double)CZ_SEC : RESUME_MS / 1000.0;
    double burst = (double)t->settings.rate.burst_s;
    refill(&r->records, cap_of(r->cap.records, &t->settings), burst, seconds);
    refill(&r->bytes, cap_of(r->cap.bytes, &t->settings), burst, seconds);
    r->filled_at = now;
}

static bool empty(const struct lane_rate *r)
{
    return (r->cap.records > 0 && r->records <= 0) || (r->cap.bytes > 0 && r->bytes <= 0);
}

/* Until a bucket holds RESUME_MS' worth. */
static double wait_s(double bucket, double cap)
{
    double want = cap * RESUME_MS / 1000;
    return cap > 0 && bucket < want ? (want - bucket) / cap : 0;
}

static cz_time resume_at(const struct cz_task *t)
{
    const struct lane_rate *r = &t->rate;
    double records = wait_s(r->records, cap_of(r->cap.records, &t->settings));
    double bytes = wait_s(r->bytes, cap_of(r->cap.bytes, &t->settings));
    double s = records > bytes ? records : bytes;
    if (s > LOOK_MS / 1000.0)
        s = LOOK_MS / 1000.0; /* then look again: the caps may be others by then */
    return cz_now() + (cz_time)(s * (double)CZ_SEC);
}

bool lane__rate_allows(struct cz_lane *l, struct cz_task *t)
{
    struct lane_rate *r = &t->rate;
    if (!t->settings.rate_limits)
        return true;
    fill(t);
    if (!empty(r))
        return true;
    r->held_at = cz_now();
    r->held = true;
    t->dirty = true;
    lane__lag_until(l, t, resume_at(t));
    return false;
}

void lane__rate_taken(struct cz_task *t, int64_t bytes)
{
    t->rate.records--;
    t->rate.bytes -= (double)bytes;
}

bool lane__rate_resumes(struct cz_task *t)
{
    struct lane_rate *r = &t->rate;
    if (!r->held || !t->settings.rate_limits)
        return true;
    fill(t);
    if (!empty(r))
        return true;
    t->resume_at = resume_at(t);
    return false;
}

int64_t lane__rate_held_ms(const struct cz_task *t)
{
    const struct lane_rate *r = &t->rate;
    return r->held_ms + (r->held ? (cz_now() - r->held_at) / CZ_MS : 0);
}

bool lane__rate_holds(const struct cz_task *t)
{
    const struct lane_rate *r = &t->rate;
    bool lately = r->resumed_at > 0 && cz_now() - r->resumed_at < HELD_FOR_MS * CZ_MS;
    return t->settings.rate_limits && (r->held || lately);
}

void lane__rate_resumed(struct cz_task *t)
{
    struct lane_rate *r = &t->rate;
    if (!r->held)
        return;
    r->held_ms = lane__rate_held_ms(t);
    r->held = false;
    r->resumed_at = cz_now();
    t->dirty = true;
}

void lane__rate_changed(struct cz_task *t)
{
    struct lane_rate *r = &t->rate;
    double records = r->records, bytes = r->bytes;
    r->look_at = 0;
    fill(t);
    /* A debt at the old rate is none at the new one. */
    r->records = records < 0 ? 0 : r->records;
    r->bytes = bytes < 0 ? 0 : r->bytes;
    if (r->held)
        t->resume_at = 0;
}
