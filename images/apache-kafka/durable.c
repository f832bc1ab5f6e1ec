/*
 * What of Kafka's disk would be there after a power failure, kept beside it in FAULTLINE_FAULTS/durable, which outlives the process:
 *
 *   files/ID   the bytes of a file, as its last fsync covered them
 *   dirs/ID    the names in a directory, as its last fsync covered them: lines "f ID NAME" and "d ID NAME"
 *   roots      the directories of Kafka's data, by their paths
 *   ready      there when all of this is whole
 *
 * An ID is the number of an inode and the time of its birth, so that one that is used again is another one. An fsync of a file covers its bytes and size
 * as they were when it was asked for, not its name; an fsync of a directory the names in it. Nothing counts as written back by itself. Renames and
 * removals need not be looked at: an fsync of their directory tells.
 *
 * Segments (.log) are appended to, and cut, or made in their full size (log.preallocate) and written into; of any other file all bytes are compared at
 * each fsync. Memory maps (Kafka's indexes) are durable by msync.
 */
#define _GNU_SOURCE
#include "durable.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PATH = 4096, STORE = 3072, PIECE = 1 << 16 };

static char store[STORE];
static _Atomic int is_on;
static int is_new;
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* What this process knows of files and directories. Of those that are neither segments nor directories only while there is an fsync under way. */
static struct known {
    uint64_t device, inode, born;
    /* Which fsync was the last. One that was asked for earlier and ends later tells nothing new. */
    unsigned long long turn;
    /* Up to where the durable bytes are surely those of the file, apart from what was written since in between. */
    off64_t same, written_from, written_to;
    /* Cuts that have begun and not ended, and the lowest of them: what is behind that may be other bytes at any time. */
    int cuts;
    off64_t lowest;
    int is_lasting, is_grown;
} *all_known;
static size_t known_count, known_room;
static _Atomic unsigned long long turns;
static _Atomic int under_way, grown;

/* Faults are for Kafka: these calls pass by their stand-ins. */
static int open_raw(const char *path, int flags) { return (int)syscall(SYS_openat, AT_FDCWD, path, flags | O_CLOEXEC, 0600); }
static int close_raw(int fd) { return (int)syscall(SYS_close, fd); }
static ssize_t read_raw(int fd, void *bytes, size_t size, off64_t at) { return syscall(SYS_pread64, fd, bytes, size, at); }
static ssize_t write_raw(int fd, const void *bytes, size_t size, off64_t at) { return syscall(SYS_pwrite64, fd, bytes, size, at); }
static int cut_raw(int fd, off64_t size) { return (int)syscall(SYS_ftruncate, fd, size); }
static int fsync_raw(int fd) { return (int)syscall(SYS_fsync, fd); }
static int rename_raw(const char *from, const char *to) { return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); }

static void name_of(char *name, size_t size, const char *what, const char *id) { snprintf(name, size, "%s/%s%s", store, what, id); }

/* Nothing is claimed that is not known. */
static void give_up(const char *why) {
    int error = errno;
    char name[PATH];
    name_of(name, sizeof name, "ready", "");
    syscall(SYS_unlinkat, AT_FDCWD, name, 0);
    if (is_on) fprintf(stderr, "faultline: this node cannot lose its power any more: %s: %s\n", why, strerror(error));
    is_on = 0;
}

/* False: it is gone, or the file system does not know when it was born. */
static int identify(int folder, const char *path, int flags, struct statx *found, char *id, size_t size) {
    if (statx(folder, path, flags, STATX_BASIC_STATS | STATX_BTIME, found) != 0 || !(found->stx_mask & STATX_BTIME)) return 0;
    snprintf(id, size, "%llu-%llu", (unsigned long long)found->stx_ino,
             (unsigned long long)found->stx_btime.tv_sec * 1000000000ull + found->stx_btime.tv_nsec);
    return 1;
}

/*
 * Makes the kept bytes from `at` up to `end` those of the file, and the kept size `size`. Only what differs is written: most of an index are zeros.
 * Returns up to where they are the same, or -1.
 */
static off64_t keep_bytes(int from, const char *id, off64_t at, off64_t end, off64_t size) {
    static char now[PIECE], kept[PIECE];
    char name[PATH];
    name_of(name, sizeof name, "files/", id);
    int to = open_raw(name, O_RDWR | O_CREAT);
    if (to < 0) return -1;
    int is_whole = cut_raw(to, size) == 0;
    while (is_whole && at < end) {
        size_t piece = end - at < PIECE ? (size_t)(end - at) : PIECE;
        ssize_t got = read_raw(from, now, piece, at);
        if (got < 0) is_whole = 0;
        /* It was cut meanwhile: what is not there any more was never asked for again, and what comes there next is not kept yet. */
        if (got == 0) is_whole = cut_raw(to, at) == 0;
        if (got <= 0) break;
        if (read_raw(to, kept, (size_t)got, at) != got || memcmp(now, kept, (size_t)got) != 0)
            is_whole = write_raw(to, now, (size_t)got, at) == got;
        at += got;
    }
    close_raw(to);
    return is_whole ? at : -1;
}

static struct known *known_of(const struct statx *found, int is_made) {
    uint64_t born = (uint64_t)found->stx_btime.tv_sec * 1000000000ull + found->stx_btime.tv_nsec;
    uint64_t device = (uint64_t)found->stx_dev_major << 32 | found->stx_dev_minor;
    for (size_t i = 0; i < known_count; i++)
        if (all_known[i].inode == found->stx_ino && all_known[i].born == born && all_known[i].device == device) return &all_known[i];
    if (!is_made) return NULL;
    if (known_count == known_room) {
        size_t room = known_room == 0 ? 64 : known_room * 2;
        struct known *more = realloc(all_known, room * sizeof *more);
        if (more == NULL) return NULL;
        all_known = more;
        known_room = room;
    }
    all_known[known_count] = (struct known){.device = device, .inode = found->stx_ino, .born = born};
    return &all_known[known_count++];
}

/* An fsync has ended. When none is under way, none can end late. */
static void end_turn(void) {
    if (--under_way > 0) return;
    size_t left = 0;
    for (size_t i = 0; i < known_count; i++)
        if (all_known[i].is_lasting) all_known[left++] = all_known[i];
    known_count = left;
}

static int is_segment(const char *path) {
    size_t length = strlen(path);
    return length > 4 && strcmp(path + length - 4, ".log") == 0;
}

/* The names in a directory now; NULL when there is no telling. */
static char *list_names(const char *path) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    DIR *folder = opendir(path);
    int is_whole = out != NULL && folder != NULL;
    for (struct dirent *entry; is_whole && (entry = readdir(folder)) != NULL;) {
        struct statx found;
        char id[64];
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
        if (!identify(dirfd(folder), entry->d_name, AT_SYMLINK_NOFOLLOW, &found, id, sizeof id)) {
            is_whole = errno == ENOENT;
            continue;
        }
        if (S_ISREG(found.stx_mode) || S_ISDIR(found.stx_mode))
            fprintf(out, "%c %s %s\n", S_ISDIR(found.stx_mode) ? 'd' : 'f', id, entry->d_name);
    }
    if (folder != NULL) closedir(folder);
    if (out != NULL) fclose(out);
    if (is_whole) return text;
    free(text);
    return NULL;
}

static int keep_names(const char *id, const char *listing) {
    char name[PATH], temporary[PATH];
    name_of(name, sizeof name, "dirs/", id);
    name_of(temporary, sizeof temporary, "dirs.", id);
    FILE *file = fopen(temporary, "we");
    if (file == NULL) return 0;
    int is_whole = fputs(listing, file) >= 0;
    if (fclose(file) != 0) is_whole = 0;
    return is_whole && rename_raw(temporary, name) == 0;
}

/* All below a directory is durable. */
static int keep_tree(const char *path) {
    struct statx found;
    char id[64];
    char *listing = list_names(path);
    int is_whole = listing != NULL && identify(AT_FDCWD, path, 0, &found, id, sizeof id) && keep_names(id, listing);
    char *rest = listing;
    for (char *line; is_whole && (line = strsep(&rest, "\n")) != NULL && *line != 0;) {
        char inside[PATH], inside_id[64];
        int at = 0;
        if (sscanf(line + 2, "%63s %n", inside_id, &at) != 1) { is_whole = 0; break; }
        snprintf(inside, sizeof inside, "%s/%s", path, line + 2 + at);
        if (line[0] == 'd') { is_whole = keep_tree(inside); continue; }
        int file = open_raw(inside, O_RDONLY);
        struct stat now;
        if (file < 0 || fstat(file, &now) != 0) is_whole = 0;
        else is_whole = keep_bytes(file, inside_id, 0, now.st_size, now.st_size) >= 0;
        if (file >= 0) close_raw(file);
    }
    free(listing);
    return is_whole;
}

void durable_begin(const char *directory) {
    char name[PATH];
    snprintf(store, sizeof store, "%s/durable", directory);
    mkdir(store, 0700);
    name_of(name, sizeof name, "files", ""); mkdir(name, 0700);
    name_of(name, sizeof name, "dirs", ""); mkdir(name, 0700);
    name_of(name, sizeof name, "ready", "");
    is_new = access(name, F_OK) != 0;
    is_on = 1;
    /* Until this start is done, those of the last one count: a power failure may come at any time. */
    name_of(name, sizeof name, "roots.new", "");
    FILE *roots = fopen(name, "we");
    if (roots == NULL) give_up(name); else fclose(roots);
}

/* Whether it was a root of the last start, so that what is durable in it is known. */
static int was_root(const char *path) {
    char name[PATH], line[PATH];
    int is_found = 0;
    name_of(name, sizeof name, "roots", "");
    FILE *roots = fopen(name, "re");
    while (roots != NULL && !is_found && fgets(line, sizeof line, roots) != NULL) {
        line[strcspn(line, "\n")] = 0;
        is_found = strcmp(line, path) == 0;
    }
    if (roots != NULL) fclose(roots);
    return is_found;
}

void durable_root(const char *path) {
    if (!is_on) return;
    char name[PATH];
    name_of(name, sizeof name, "roots.new", "");
    FILE *roots = fopen(name, "ae");
    int is_whole = roots != NULL && fprintf(roots, "%s\n", path) > 0;
    if (roots != NULL && fclose(roots) != 0) is_whole = 0;
    if (!is_whole || ((is_new || !was_root(path)) && !keep_tree(path))) give_up(path);
}

/* A file of which one half is fsynced shows whether a power failure takes what it should, and nothing else. */
static int write_proof(void) {
    char folder[sizeof store + 32], path[sizeof folder + 8];
    snprintf(folder, sizeof folder, "%.*s/unsynced.proof", (int)(strlen(store) - strlen("/durable")), store);
    snprintf(path, sizeof path, "%s/file", folder);
    mkdir(folder, 0700);
    durable_root(folder);
    int file = open_raw(path, O_RDWR | O_CREAT | O_TRUNC), place = open_raw(folder, O_RDONLY | O_DIRECTORY);
    static const char half[] = "was fsynced", rest[] = ", and this was not";
    int is_whole = file >= 0 && place >= 0 && write_raw(file, half, sizeof half - 1, 0) == (ssize_t)sizeof half - 1;
    for (int i = 0; is_whole && i < 2; i++) {
        int fd = i == 0 ? file : place;
        struct asked asked = durable_asked(fd);
        is_whole = fsync_raw(fd) == 0;
        durable_synced(fd, &asked);
    }
    if (is_whole) is_whole = write_raw(file, rest, sizeof rest - 1, sizeof half - 1) == (ssize_t)sizeof rest - 1;
    if (file >= 0) close_raw(file);
    if (place >= 0) close_raw(place);
    return is_whole;
}

void durable_ready(void) {
    char name[PATH], temporary[PATH];
    if (is_on && !write_proof()) give_up("the proof");
    name_of(name, sizeof name, "roots", "");
    name_of(temporary, sizeof temporary, "roots.new", "");
    if (is_on && rename_raw(temporary, name) != 0) give_up(name);
    if (!is_on || !is_new) return;
    name_of(name, sizeof name, "ready", "");
    int file = open_raw(name, O_WRONLY | O_CREAT);
    if (file < 0) give_up(name); else close_raw(file);
}

struct asked durable_asked(int fd) {
    struct asked asked = {0, 0, 0, NULL, 0};
    struct stat now;
    under_way++;
    asked.turn = ++turns;
    if (!is_on || fstat(fd, &now) != 0 || !(S_ISREG(now.st_mode) || S_ISDIR(now.st_mode))) {
        under_way--;
        return asked;
    }
    asked.is_kept = 1;
    asked.is_directory = S_ISDIR(now.st_mode);
    asked.size = now.st_size;
    if (!asked.is_directory) return asked;
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    /* The names that there are now are covered; one that comes meanwhile may not be. */
    asked.listing = list_names(link);
    return asked;
}

void durable_forget(struct asked *asked) {
    if (asked->is_kept) under_way--;
    free(asked->listing);
}

/* A file that may be open for writing alone is opened once more; one that has no name any more needs nothing. */
static int keep_file(const char *link, const char *id, struct known *known, off64_t size) {
    int file = open_raw(link, O_RDONLY);
    if (file < 0) return errno == ENOENT;
    int is_append = known->is_lasting && known->same <= size;
    off64_t at = is_append ? known->same : 0;
    off64_t written = is_append && known->written_from < known->written_to
                          ? keep_bytes(file, id, known->written_from, known->written_to < at ? known->written_to : at, size) : 0;
    off64_t same = written < 0 ? -1 : keep_bytes(file, id, at, size, size);
    close_raw(file);
    known->written_from = known->written_to = 0;
    known->same = same < 0 ? 0 : same;
    if (known->cuts > 0 && known->same > known->lowest) known->same = known->lowest;
    return same >= 0;
}

/* The path of an open file, or an empty one. */
static void find_path(int fd, char *link, size_t link_size, char *path, size_t size) {
    snprintf(link, link_size, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, size - 1);
    path[length > 0 ? length : 0] = 0;
}

void durable_synced(int fd, struct asked *asked) {
    int saved = errno;
    struct statx found;
    char id[64], link[32], path[PATH];
    if (asked->is_kept) {
        pthread_mutex_lock(&turn);
        if (is_on && identify(fd, "", AT_EMPTY_PATH, &found, id, sizeof id)) {
            find_path(fd, link, sizeof link, path, sizeof path);
            struct known *known = known_of(&found, 1);
            if (known == NULL) give_up(path);
            else if (known->turn < asked->turn) {
                known->turn = asked->turn;
                known->is_lasting = asked->is_directory || is_segment(path);
                if (asked->is_directory ? asked->listing == NULL || !keep_names(id, asked->listing)
                                        : !keep_file(link, id, known, asked->size)) give_up(path);
            }
        }
        end_turn();
        pthread_mutex_unlock(&turn);
    }
    free(asked->listing);
    errno = saved;
}

void durable_resize(int fd, off64_t from, off64_t to, int is_done) {
    int saved = errno;
    struct statx found;
    char id[64], link[32], path[PATH];
    find_path(fd, link, sizeof link, path, sizeof path);
    if (is_on && is_segment(path) && identify(fd, "", AT_EMPTY_PATH, &found, id, sizeof id)) {
        pthread_mutex_lock(&turn);
        struct known *known = known_of(&found, 1);
        if (known == NULL) give_up(path);
        else {
            known->is_lasting = 1;
            if (known->same > from) known->same = from;
            if (is_done) known->cuts--;
            else {
                if (known->cuts++ == 0 || known->lowest > from) known->lowest = from;
                if (to > (off64_t)found.stx_size && !known->is_grown) { known->is_grown = 1; grown++; }
            }
        }
        pthread_mutex_unlock(&turn);
    }
    errno = saved;
}

int durable_is_written(void) { return grown > 0; }

void durable_written(int fd, off64_t from, off64_t to) {
    int saved = errno;
    struct statx found;
    char id[64];
    if (is_on && identify(fd, "", AT_EMPTY_PATH, &found, id, sizeof id)) {
        pthread_mutex_lock(&turn);
        struct known *known = known_of(&found, 0);
        if (known != NULL && from < known->same) {
            int is_first = known->written_from == known->written_to;
            if (is_first || from < known->written_from) known->written_from = from;
            if (is_first || to > known->written_to) known->written_to = to;
        }
        pthread_mutex_unlock(&turn);
    }
    errno = saved;
}

void durable_mapped(const char *path) {
    int saved = errno;
    int file = open_raw(path, O_RDONLY);
    if (file >= 0) {
        struct asked asked = durable_asked(file);
        durable_synced(file, &asked);
        close_raw(file);
    }
    errno = saved;
}
