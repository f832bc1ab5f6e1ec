/*
 * Faults inside Apache Kafka: a library that is loaded before the C library of its JVM (LD_PRELOAD) and stands in for the calls that it reaches its
 * disk and its calendar through. Which faults are at work is in a file that the toolkit writes, FAULTLINE_FAULTS/rules:
 *
 *   faultline GENERATION
 *   SLOT BORN KIND key=value … [path=REGULAR EXPRESSION up to the end of the line]
 *   end
 *
 * Lines that begin with # are the toolkit's. What has come of them is in FAULTLINE_FAULTS/state (struct state), which outlives the process: a fault
 * that strikes once is spent before it ends it. Only what is in the directories of FAULTLINE_DATA is broken, which are separated by commas. Memory
 * maps (Kafka's indexes) are out of reach. What a power failure would leave of them is told to durable.c.
 */
#define _GNU_SOURCE
#include "durable.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <regex.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>
#ifndef __GLIBC__
#error "this library stands in front of the GNU C library (glibc); with another one, the JVM makes other calls"
#endif

enum { SLOTS = 32, ROOTS = 64, LINE = 4096, CHUNK = 1 << 16, MOST_DELAY_MS = 2000, LOOK_EVERY_MS = 10 };
enum operation { READ = 1, WRITE = 2, FSYNC = 4, OPEN = 8, RENAME = 16, TRUNCATE = 32, REMOVE = 64 };
enum kind { SLOW, FULL, FAILING, CRASH, TORN, FLIP, JUMP, DRIFT, STROBE };
static const char *const kind_names[] = {"slow-disk", "full-disk", "disk-error", "crash-at", "torn-write",
                                         "bit-flip", "clock-jump", "clock-drift", "clock-strobe"};

/* Shared with the toolkit, little-endian on every machine this runs on; scripts/cluster/apache-kafka/fault-rules.ts reads it. */
struct state {
    uint64_t generation;          /* of the rules that are at work */
    int64_t clock_offset_ms;      /* of the last time that was told */
    struct { uint64_t born, began_ms, seen, hits, bytes, spent; } slots[SLOTS];
    int64_t told_at_ms;           /* when the last time was told, by the real clock */
    int64_t offsets_ms[SLOTS];    /* what each rule made of it */
};

struct rule {
    int slot, operations, after, code;
    enum kind kind;
    uint64_t born;
    double delay_ms, jitter_ms, rate, offset_ms, period_ms;
    int64_t nth, one_in, keep, budget;
    int has_path;
    regex_t path;
};

struct rules { uint64_t generation; int count, on_disk, of_clock; struct rule list[SLOTS]; };

static struct rules none;
static _Atomic(struct rules *) active = &none;
static struct state own_state, *state = &own_state;
static const char *directory;
/* Kafka's data, without slashes at the end: as Kafka names it, then, where that leads through symbolic links, where it really lies. */
static struct { const char *path; size_t length; int named; } roots[2 * ROOTS];
static int root_count, named_count;
static atomic_ullong seed = 88172645463325252ull;

static ssize_t (*real_read)(int, void *, size_t), (*real_write)(int, const void *, size_t);
static ssize_t (*real_pread)(int, void *, size_t, off64_t), (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_readv)(int, const struct iovec *, int), (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_sendfile)(int, int, off64_t *, size_t);
static int (*real_fsync)(int), (*real_fdatasync)(int), (*real_ftruncate)(int, off64_t), (*real_msync)(void *, size_t, int);
static int (*real_fallocate)(int, int, off64_t, off64_t);
static int (*real_open)(const char *, int, ...), (*real_openat)(int, const char *, int, ...);
static int (*real_rename)(const char *, const char *), (*real_unlink)(const char *);
static int (*real_gettime)(clockid_t, struct timespec *);

static void find_real(void) {
    real_read = dlsym(RTLD_NEXT, "read"); real_write = dlsym(RTLD_NEXT, "write");
    real_pread = dlsym(RTLD_NEXT, "pread64"); real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_readv = dlsym(RTLD_NEXT, "readv"); real_writev = dlsym(RTLD_NEXT, "writev");
    real_sendfile = dlsym(RTLD_NEXT, "sendfile64");
    real_fsync = dlsym(RTLD_NEXT, "fsync"); real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64"); real_msync = dlsym(RTLD_NEXT, "msync");
    real_fallocate = dlsym(RTLD_NEXT, "fallocate64");
    real_open = dlsym(RTLD_NEXT, "open64"); real_openat = dlsym(RTLD_NEXT, "openat64");
    real_rename = dlsym(RTLD_NEXT, "rename"); real_unlink = dlsym(RTLD_NEXT, "unlink");
    real_gettime = dlsym(RTLD_NEXT, "clock_gettime");
}

/* Others may be loaded, and call, before this library is ready. */
static void ready(void) {
    static atomic_int found;
    if (!atomic_load(&found)) { find_real(); atomic_store(&found, 1); }
}

/* ------------------------------------------------------------------------------------------------------------ rules */

static int operations_of(const char *names) {
    static const char *const known[] = {"read", "write", "fsync", "open", "rename", "truncate", "remove"};
    int found = 0;
    for (int i = 0; i < 7; i++)
        for (const char *at = names; (at = strstr(at, known[i])) != NULL; at++) found |= 1 << i;
    return found;
}

static int64_t real_ms(void) {
    struct timespec now;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int parse_rule(char *line, struct rule *rule) {
    char kind[32];
    int length = 0;
    memset(rule, 0, sizeof *rule);
    rule->keep = -1;
    rule->code = EIO;
    rule->operations = WRITE;
    if (sscanf(line, "%d %ju %31s%n", &rule->slot, (uintmax_t *)&rule->born, kind, &length) != 3) return 0;
    if (rule->slot < 0 || rule->slot >= SLOTS) return 0;
    int at = 0;
    while (at < (int)(sizeof kind_names / sizeof *kind_names) && strcmp(kind, kind_names[at]) != 0) at++;
    if (at == (int)(sizeof kind_names / sizeof *kind_names)) return 0;
    rule->kind = (enum kind)at;
    for (char *word = line + length; (word = strchr(word, ' ')) != NULL;) {
        char *name = word + 1, *value = strchr(name, '=');
        if (value == NULL) break;
        *value++ = 0;
        if (strcmp(name, "path") == 0) {
            rule->has_path = regcomp(&rule->path, value, REG_EXTENDED | REG_NOSUB) == 0;
            return rule->has_path;
        }
        word = value;
        if (strcmp(name, "on") == 0) {
            char names[64] = {0};
            sscanf(value, "%63s", names);
            rule->operations = operations_of(names);
        } else if (strcmp(name, "when") == 0) rule->after = value[0] == 'a';
        else if (strcmp(name, "delay") == 0) rule->delay_ms = strtod(value, NULL);
        else if (strcmp(name, "jitter") == 0) rule->jitter_ms = strtod(value, NULL);
        else if (strcmp(name, "rate") == 0) rule->rate = strtod(value, NULL);
        else if (strcmp(name, "offset") == 0) rule->offset_ms = strtod(value, NULL);
        else if (strcmp(name, "period") == 0) rule->period_ms = strtod(value, NULL);
        else if (strcmp(name, "after") == 0) rule->budget = strtoll(value, NULL, 10);
        else if (strcmp(name, "nth") == 0) rule->nth = strtoll(value, NULL, 10);
        else if (strcmp(name, "one-in") == 0) rule->one_in = strtoll(value, NULL, 10);
        else if (strcmp(name, "keep") == 0) rule->keep = strtoll(value, NULL, 10);
        else if (strcmp(name, "errno") == 0) rule->code = (int)strtol(value, NULL, 10);
        else return 0;
    }
    return 1;
}

/* False: a file without its last line, which is being written. What came before stays in memory: others may be in the middle of using it. */
static int load_rules(void) {
    char path[LINE], line[LINE];
    snprintf(path, sizeof path, "%s/rules", directory);
    FILE *file = fopen(path, "re");
    if (file == NULL) return errno == ENOENT;
    struct rules *next = calloc(1, sizeof *next);
    int whole = 0;
    uintmax_t generation = 0;
    if (next != NULL && fgets(line, sizeof line, file) != NULL && sscanf(line, "faultline %ju", &generation) == 1)
        while (fgets(line, sizeof line, file) != NULL) {
            line[strcspn(line, "\n")] = 0;
            if (strcmp(line, "end") == 0) { whole = 1; break; }
            if (line[0] == '#' || next->count == SLOTS) continue;
            struct rule *rule = &next->list[next->count];
            if (!parse_rule(line, rule)) {
                fprintf(stderr, "faultline: not understood: %s\n", line);
                continue;
            }
            next->count++;
            if (rule->kind >= JUMP) next->of_clock++; else next->on_disk++;
            if (state->slots[rule->slot].born == rule->born) continue;
            memset(&state->slots[rule->slot], 0, sizeof state->slots[0]);
            state->offsets_ms[rule->slot] = 0;
            state->slots[rule->slot].born = rule->born;
            state->slots[rule->slot].began_ms = (uint64_t)real_ms();
        }
    fclose(file);
    if (!whole) { free(next); return 0; }
    next->generation = generation;
    if (next->of_clock == 0) state->clock_offset_ms = 0;
    atomic_store(&active, next);
    __atomic_store_n(&state->generation, generation, __ATOMIC_SEQ_CST);
    return 1;
}

static void sleep_ms(double ms) {
    struct timespec left = {(time_t)(ms / 1000), (long)((ms - 1000.0 * (time_t)(ms / 1000)) * 1e6)};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {}
}

static void *watch(void *unused) {
    (void)unused;
    char path[LINE];
    struct stat before = {0}, now;
    snprintf(path, sizeof path, "%s/rules", directory);
    for (;;) {
        /* Times of change are the file system's own; a name that is used again may well have its number again. */
        if (stat(path, &now) == 0 && (now.st_ctim.tv_sec != before.st_ctim.tv_sec || now.st_ctim.tv_nsec != before.st_ctim.tv_nsec ||
                                      now.st_size != before.st_size || now.st_ino != before.st_ino)) {
            before = now;
            if (!load_rules()) before.st_size = -1;
        }
        sleep_ms(LOOK_EVERY_MS);
    }
    return NULL;
}

static void add_root(const char *path, int named) {
    roots[root_count].path = path;
    roots[root_count].length = strlen(path);
    roots[root_count++].named = named;
}

/* As Kafka reads log.dirs: separated by commas, with blanks around them that do not count. */
static void find_roots(const char *list) {
    char *left = strdup(list), *rest = left, *one;
    while (left != NULL && (one = strsep(&rest, ",")) != NULL) {
        one += strspn(one, " \t\n");
        size_t length = strlen(one);
        while (length > 0 && strchr(" \t\n", one[length - 1]) != NULL) length--;
        while (length > 0 && one[length - 1] == '/') length--;
        if (length == 0) continue;
        if (named_count == ROOTS) {
            fprintf(stderr, "faultline: of more than %d directories, %s is not broken\n", ROOTS, one);
            continue;
        }
        one[length] = 0;
        add_root(one, named_count++);
    }
    for (int i = 0; i < named_count; i++) {
        char *real = realpath(roots[i].path, NULL);
        if (real != NULL && strcmp(real, roots[i].path) != 0) add_root(real, i); else free(real);
    }
}

__attribute__((constructor)) static void begin(void) {
    ready();
    directory = getenv("FAULTLINE_FAULTS");
    const char *data = getenv("FAULTLINE_DATA");
    if (directory == NULL || data == NULL) return;
    find_roots(data);
    char path[LINE];
    snprintf(path, sizeof path, "%s/state", directory);
    int file = real_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0 && real_ftruncate(file, sizeof *state) == 0) {
        void *shared = mmap(NULL, sizeof *state, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (shared != MAP_FAILED) state = shared;
    }
    if (state == &own_state) fprintf(stderr, "faultline: %s cannot be shared: %s\n", path, strerror(errno));
    if (file >= 0) close(file);
    state->generation = 0;
    load_rules();
    if (getenv("FAULTLINE_ONCE") != NULL) return;
    durable_begin(directory);
    for (int i = 0; i < named_count; i++) durable_root(roots[i].path);
    durable_ready();
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &old);
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, NULL) == 0) pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

/* ------------------------------------------------------------------------------------------------------------- disk */

static uint64_t chance(void) {
    uint64_t x = atomic_load(&seed) ^ (uint64_t)real_ms() << 20;
    x ^= x << 13; x ^= x >> 7; x ^= x << 17;
    atomic_store(&seed, x == 0 ? 1 : x);
    return x;
}

/* Which of the roots a path is in, or -1. */
static int root_of(const char *path) {
    for (int i = 0; i < root_count; i++)
        if (strncmp(path, roots[i].path, roots[i].length) == 0 && (path[roots[i].length] == '/' || path[roots[i].length] == 0)) return i;
    return -1;
}

static int is_kafkas(const char *path) { return root_of(path) >= 0; }

/* The path of a file of Kafka's, as Kafka names it, or NULL. */
static const char *path_of(int fd, char *buffer, size_t size) {
    char link[32], real[LINE];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, real, sizeof real - 1);
    if (length <= 0) return NULL;
    real[length] = 0;
    int root = root_of(real);
    if (root < 0) return NULL;
    snprintf(buffer, size, "%s%s", roots[roots[root].named].path, real + roots[root].length);
    return buffer;
}

static int is_due(struct rule *rule) {
    uint64_t seen = __atomic_add_fetch(&state->slots[rule->slot].seen, 1, __ATOMIC_SEQ_CST);
    if (rule->nth > 0 && seen != (uint64_t)rule->nth) return 0;
    return rule->one_in <= 1 || chance() % (uint64_t)rule->one_in == 0;
}

static void hit(const struct rule *rule) { __atomic_add_fetch(&state->slots[rule->slot].hits, 1, __ATOMIC_SEQ_CST); }

static void end_process(const struct rule *rule) {
    hit(rule);
    __atomic_store_n(&state->slots[rule->slot].spent, 1, __ATOMIC_SEQ_CST);
    for (;;) kill(getpid(), SIGKILL);
}

/* What faults make of one call. */
struct fate { int error; const struct rule *ends_after, *torn, *flips; };

static struct fate judge(enum operation operation, const char *path, size_t bytes) {
    struct fate fate = {0, NULL, NULL, NULL};
    struct rules *rules = atomic_load(&active);
    double delay_ms = 0;
    for (int i = 0; i < rules->count; i++) {
        struct rule *rule = &rules->list[i];
        if (rule->kind >= JUMP || state->slots[rule->slot].spent) continue;
        if (rule->kind != FULL && !(rule->operations & operation)) continue;
        if (rule->has_path && regexec(&rule->path, path, 0, NULL, 0) != 0) continue;
        switch (rule->kind) {
        case SLOW: {
            double much = rule->delay_ms + (rule->jitter_ms > 0 ? rule->jitter_ms * (chance() % 1000) / 1000.0 : 0);
            if (rule->rate > 0) much += bytes / rule->rate * 1000.0;
            delay_ms += much > MOST_DELAY_MS ? MOST_DELAY_MS : much;
            hit(rule);
            break;
        }
        case FULL:
            if (operation != WRITE) break;
            if (__atomic_add_fetch(&state->slots[rule->slot].bytes, bytes, __ATOMIC_SEQ_CST) <= (uint64_t)rule->budget) break;
            __atomic_sub_fetch(&state->slots[rule->slot].bytes, bytes, __ATOMIC_SEQ_CST);
            fate.error = ENOSPC;
            hit(rule);
            break;
        case FAILING:
            if (!is_due(rule)) break;
            fate.error = rule->code;
            hit(rule);
            break;
        case CRASH:
            if (!is_due(rule)) break;
            if (!rule->after) end_process(rule);
            fate.ends_after = rule;
            break;
        case TORN:
            if (is_due(rule)) fate.torn = rule;
            break;
        case FLIP:
            if (is_due(rule)) fate.flips = rule;
            break;
        default: break;
        }
    }
    if (delay_ms > 0) sleep_ms(delay_ms > MOST_DELAY_MS ? MOST_DELAY_MS : delay_ms);
    return fate;
}

static int is_broken(void) { return atomic_load(&active)->on_disk > 0; }

static struct fate judge_file(enum operation operation, int fd, size_t bytes, char *path, size_t size) {
    int saved = errno;
    struct fate fate = {0, NULL, NULL, NULL};
    if (is_broken() && path_of(fd, path, size) != NULL) fate = judge(operation, path, bytes);
    errno = saved;
    return fate;
}

static struct fate judge_path(enum operation operation, const char *path) {
    int saved = errno;
    struct fate fate = {0, NULL, NULL, NULL};
    if (is_broken() && path != NULL && is_kafkas(path)) fate = judge(operation, path, 0);
    errno = saved;
    return fate;
}

static void flip_bit(const struct rule *rule, void *bytes, size_t length) {
    if (length == 0) return;
    uint64_t bit = chance() % (length * 8);
    ((unsigned char *)bytes)[bit / 8] ^= (unsigned char)(1u << bit % 8);
    hit(rule);
}

#define FAIL(error) do { errno = (error); return -1; } while (0)
#define AFTER(fate) do { if ((fate).ends_after != NULL) end_process((fate).ends_after); } while (0)

static ssize_t do_read(int fd, void *buffer, size_t size, off64_t offset) {
    char path[LINE];
    struct fate fate = judge_file(READ, fd, size, path, sizeof path);
    if (fate.error) FAIL(fate.error);
    ssize_t got = offset < 0 ? real_read(fd, buffer, size) : real_pread(fd, buffer, size, offset);
    if (fate.flips != NULL && got > 0) flip_bit(fate.flips, buffer, (size_t)got);
    AFTER(fate);
    return got;
}

/* Where a write begins, for writes that have to be told; -1 for others, and where there is no place. */
static off64_t place_of(int fd, off64_t offset) {
    if (!durable_is_written() || offset >= 0) return offset;
    int saved = errno;
    off64_t at = lseek64(fd, 0, SEEK_CUR);
    errno = saved;
    return at;
}

/* With writes of several threads to one place, all that lies between is told. */
static void tell_written(int fd, off64_t begin, off64_t offset, ssize_t put) {
    if (!durable_is_written() || begin < 0 || put <= 0) return;
    off64_t end = offset >= 0 ? offset + put : lseek64(fd, 0, SEEK_CUR);
    if (end - put < begin) begin = end - put;
    durable_written(fd, begin, end);
}

static int is_watched(void) { return is_broken() || durable_is_written(); }

static ssize_t do_write(int fd, const void *buffer, size_t size, off64_t offset) {
    char path[LINE];
    struct fate fate = judge_file(WRITE, fd, size, path, sizeof path);
    if (fate.error) FAIL(fate.error);
    size_t part = size;
    if (fate.torn != NULL) {
        part = fate.torn->keep < 0 ? (size_t)(chance() % (size + 1)) : (size_t)fate.torn->keep;
        if (part > size) part = size;
    }
    void *wrong = NULL;
    if (fate.flips != NULL && size > 0 && (wrong = malloc(size)) != NULL) {
        memcpy(wrong, buffer, size);
        flip_bit(fate.flips, wrong, size);
    }
    const void *bytes = wrong != NULL ? wrong : buffer;
    off64_t begin = place_of(fd, offset);
    ssize_t put = offset < 0 ? real_write(fd, bytes, part) : real_pwrite(fd, bytes, part, offset);
    int saved = errno;
    tell_written(fd, begin, offset, put);
    free(wrong);
    if (fate.torn != NULL) end_process(fate.torn);
    AFTER(fate);
    errno = saved;
    return put;
}

ssize_t read(int fd, void *buffer, size_t size) { ready(); return is_broken() ? do_read(fd, buffer, size, -1) : real_read(fd, buffer, size); }
ssize_t write(int fd, const void *buffer, size_t size) { ready(); return is_watched() ? do_write(fd, buffer, size, -1) : real_write(fd, buffer, size); }
ssize_t pread64(int fd, void *buffer, size_t size, off64_t offset) { ready(); return is_broken() ? do_read(fd, buffer, size, offset) : real_pread(fd, buffer, size, offset); }
ssize_t pread(int fd, void *buffer, size_t size, off_t offset) { return pread64(fd, buffer, size, offset); }
ssize_t pwrite64(int fd, const void *buffer, size_t size, off64_t offset) { ready(); return is_watched() ? do_write(fd, buffer, size, offset) : real_pwrite(fd, buffer, size, offset); }
ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset) { return pwrite64(fd, buffer, size, offset); }

static int is_data(int fd) {
    char path[LINE];
    int saved = errno;
    int found = path_of(fd, path, sizeof path) != NULL;
    errno = saved;
    return found;
}

ssize_t readv(int fd, const struct iovec *parts, int count) {
    ready();
    if (!is_broken() || count < 1 || !is_data(fd)) return real_readv(fd, parts, count);
    /* Fewer bytes than asked for are an answer. */
    return do_read(fd, parts[0].iov_base, parts[0].iov_len, -1);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    ready();
    if (!is_watched() || count < 1 || !is_data(fd)) return real_writev(fd, parts, count);
    size_t size = 0, at = 0;
    for (int i = 0; i < count; i++) size += parts[i].iov_len;
    char *all = malloc(size == 0 ? 1 : size);
    if (all == NULL) FAIL(ENOMEM);
    for (int i = 0; i < count; i++) { memcpy(all + at, parts[i].iov_base, parts[i].iov_len); at += parts[i].iov_len; }
    ssize_t put = do_write(fd, all, size, -1);
    int saved = errno;
    free(all);
    errno = saved;
    return put;
}

/* How Kafka answers most fetches. */
ssize_t sendfile64(int out, int in, off64_t *offset, size_t size) {
    ready();
    if (!is_broken() || offset == NULL || !is_data(in)) return real_sendfile(out, in, offset, size);
    char buffer[CHUNK];
    ssize_t got = do_read(in, buffer, size < CHUNK ? size : CHUNK, *offset);
    if (got <= 0) return got;
    ssize_t put = real_write(out, buffer, (size_t)got);
    if (put > 0) *offset += put;
    return put;
}
ssize_t sendfile(int out, int in, off_t *offset, size_t size) { return sendfile64(out, in, offset, size); }

static int synced(int fd, int (*real)(int)) {
    char path[LINE];
    struct fate fate = judge_file(FSYNC, fd, 0, path, sizeof path);
    if (fate.error) FAIL(fate.error);
    struct asked asked = {0, 0, 0, NULL, 0};
    if (directory != NULL && is_data(fd)) asked = durable_asked(fd);
    int done = real(fd);
    if (done == 0) durable_synced(fd, &asked); else durable_forget(&asked);
    AFTER(fate);
    return done;
}
int fsync(int fd) { ready(); return synced(fd, real_fsync); }
int fdatasync(int fd) { ready(); return synced(fd, real_fdatasync); }

int ftruncate64(int fd, off64_t size) {
    ready();
    char path[LINE];
    struct fate fate = judge_file(TRUNCATE, fd, 0, path, sizeof path);
    if (fate.error) FAIL(fate.error);
    int is_kept = directory != NULL && is_data(fd);
    if (is_kept) durable_resize(fd, size, size, 0);
    int done = real_ftruncate(fd, size);
    if (is_kept) durable_resize(fd, size, size, 1);
    AFTER(fate);
    return done;
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

/* How a JVM makes a file larger (RandomAccessFile.setLength). */
int fallocate64(int fd, int mode, off64_t from, off64_t size) {
    ready();
    int is_kept = directory != NULL && is_data(fd);
    if (is_kept) durable_resize(fd, from, from + size, 0);
    int done = real_fallocate(fd, mode, from, size);
    if (is_kept) durable_resize(fd, from, from + size, 1);
    return done;
}
int fallocate(int fd, int mode, off_t from, off_t size) { return fallocate64(fd, mode, from, size); }

/* Of a memory map: its file is found by the table of all of them. */
int msync(void *at, size_t size, int flags) {
    ready();
    int done = real_msync(at, size, flags);
    if (done != 0 || directory == NULL || !(flags & MS_SYNC)) return done;
    FILE *maps = fopen("/proc/self/maps", "re");
    char line[LINE + 128];
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t from, to;
        int path = 0;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %*s %*s %*s %n", &from, &to, &path) < 2 || path == 0) continue;
        if ((uintptr_t)at < from || (uintptr_t)at >= to) continue;
        line[strcspn(line, "\n")] = 0;
        if (is_kafkas(line + path)) durable_mapped(line + path);
        break;
    }
    if (maps != NULL) fclose(maps);
    return done;
}

static int opened(int folder, const char *path, int flags, mode_t mode) {
    struct fate fate = judge_path(OPEN, path);
    if (fate.error) FAIL(fate.error);
    int fd = folder == AT_FDCWD ? real_open(path, flags, mode) : real_openat(folder, path, flags, mode);
    AFTER(fate);
    return fd;
}
static mode_t mode_of(int flags, va_list more) { return flags & (O_CREAT | O_TMPFILE) ? va_arg(more, mode_t) : 0; }
#define OPENED(folder) do { ready(); va_list more; va_start(more, flags); mode_t mode = mode_of(flags, more); va_end(more); \
    return opened(folder, path, flags, mode); } while (0)
int open64(const char *path, int flags, ...) { OPENED(AT_FDCWD); }
int open(const char *path, int flags, ...) { OPENED(AT_FDCWD); }
int openat64(int folder, const char *path, int flags, ...) { OPENED(folder); }
int openat(int folder, const char *path, int flags, ...) { OPENED(folder); }

int rename(const char *from, const char *to) {
    ready();
    struct fate fate = judge_path(RENAME, from);
    if (fate.error) FAIL(fate.error);
    int done = real_rename(from, to);
    AFTER(fate);
    return done;
}

int unlink(const char *path) {
    ready();
    struct fate fate = judge_path(REMOVE, path);
    if (fate.error) FAIL(fate.error);
    int done = real_unlink(path);
    AFTER(fate);
    return done;
}

/* ------------------------------------------------------------------------------------------------------------ clock */

static int64_t offset_of(struct rules *rules, int64_t now_ms) {
    int64_t offset = 0;
    state->told_at_ms = now_ms;
    for (int i = 0; i < rules->count; i++) {
        struct rule *rule = &rules->list[i];
        int64_t since_ms = now_ms - (int64_t)state->slots[rule->slot].began_ms, own = 0;
        if (rule->kind < JUMP) continue;
        if (rule->kind == JUMP) own = (int64_t)rule->offset_ms;
        else if (rule->kind == DRIFT) own = (int64_t)(rule->rate * since_ms / 1000.0);
        else if ((int64_t)(since_ms / rule->period_ms) % 2 == 0) own = (int64_t)rule->offset_ms;
        state->offsets_ms[rule->slot] = own;
        offset += own;
        hit(rule);
    }
    return offset;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    ready();
    int done = real_gettime(clock, time);
    struct rules *rules = atomic_load(&active);
    if (done != 0 || rules->of_clock == 0 || (clock != CLOCK_REALTIME && clock != CLOCK_REALTIME_COARSE)) return done;
    int64_t offset = offset_of(rules, (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000);
    state->clock_offset_ms = offset;
    int64_t nanos = (int64_t)time->tv_nsec + offset % 1000 * 1000000;
    time->tv_sec += offset / 1000 + (nanos < 0 ? -1 : nanos / 1000000000);
    time->tv_nsec = (nanos < 0 ? nanos + 1000000000 : nanos) % 1000000000;
    return 0;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    (void)zone;
    struct timespec time;
    if (clock_gettime(CLOCK_REALTIME, &time) != 0) return -1;
    now->tv_sec = time.tv_sec;
    now->tv_usec = time.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0) return -1;
    if (result != NULL) *result = now.tv_sec;
    return now.tv_sec;
}
