/*
 * Shows that a fault works before Kafka feels it: probe FOLDER OPERATION RULES does one file call without the library and then, in a process of its
 * own, with the library and these rules. Prints one line of JSON: how long each took, how it failed or ended, what is in the file then. The library is
 * the one that FAULTLINE_LIBRARY names, or that of the image.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 1 << 20, PATH = 4096 };
static char bytes[MOST], path[PATH], moved[PATH + 8];

static double now_ms(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000.0 + now.tv_nsec / 1e6;
}

static int fail(const char *what) {
    perror(what);
    return 2;
}

/* 0, or the error. `wrong` counts bits that are not zero in what was read. */
static int perform(const char *operation, size_t size, int *wrong) {
    int fd = open(path, O_RDWR);
    if (fd < 0) return errno;
    int failed = 0;
    errno = 0;
    if (strcmp(operation, "read") == 0) failed = pread(fd, bytes, size, 0) < 0;
    else if (strcmp(operation, "write") == 0) failed = pwrite(fd, bytes, size, 0) < 0;
    else if (strcmp(operation, "fsync") == 0) failed = fsync(fd) != 0;
    else if (strcmp(operation, "truncate") == 0) failed = ftruncate(fd, 0) != 0;
    else if (strcmp(operation, "rename") == 0) failed = rename(path, moved) != 0 || rename(moved, path) != 0;
    else if (strcmp(operation, "remove") == 0) failed = unlink(path) != 0;
    int error = failed ? errno : 0;
    close(fd);
    *wrong = 0;
    for (size_t i = 0; i < size; i++) *wrong += __builtin_popcount((unsigned char)bytes[i]);
    return error;
}

static int once(const char *operation, size_t size) {
    int wrong = 0;
    double began = now_ms();
    int error = perform(operation, size, &wrong);
    printf("{\"tookMs\": %.1f, \"errno\": %d, \"wrongBits\": %d}", now_ms() - began, error, wrong);
    fflush(stdout);
    return 0;
}

/* Zeros, except where `fill` says otherwise; written without any fault. */
static int prepare(size_t size) {
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    if (fd < 0) return -1;
    int done = write(fd, bytes, size) == (ssize_t)size ? 0 : -1;
    close(fd);
    return done;
}

int main(int count, char **words) {
    if (count < 5) return 2;
    const char *folder = words[1], *operation = words[2];
    size_t size = strtoul(words[3], NULL, 10);
    if (size > MOST) size = MOST;
    snprintf(path, sizeof path, "%s/scratch", folder);
    snprintf(moved, sizeof moved, "%s.moved", path);
    if (strcmp(words[4], "--once") == 0) {
        /* What is written can be told from what was there. */
        if (strcmp(operation, "write") == 0 && count > 5) memset(bytes, atoi(words[5]), size);
        return once(operation, size);
    }
    char file[PATH];
    mkdir(folder, 0700);
    snprintf(file, sizeof file, "%s/rules", folder);
    FILE *rules = fopen(file, "w");
    if (rules == NULL) return fail(file);
    fputs(words[4], rules);
    if (fclose(rules) != 0) return fail(file);
    if (prepare(size) != 0) return fail(path);
    printf("{\"before\": ");
    once(operation, size);
    if (prepare(size) != 0) return fail(path);
    printf(", \"now\": ");
    fflush(stdout);
    pid_t child = fork();
    if (child < 0) return fail("fork");
    if (child == 0) {
        const char *library = getenv("FAULTLINE_LIBRARY");
        setenv("LD_PRELOAD", library != NULL ? library : "/opt/faultline/libfaults.so", 1);
        setenv("FAULTLINE_FAULTS", folder, 1);
        setenv("FAULTLINE_DATA", folder, 1);
        setenv("FAULTLINE_ONCE", "1", 1);
        execl("/proc/self/exe", "probe", folder, operation, words[3], "--once", count > 5 ? words[5] : "0", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) printf("{\"signal\": %d}", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0) printf("null");
    int fd = open(path, O_RDONLY), written = 0, bits = 0;
    ssize_t got = fd < 0 ? 0 : read(fd, bytes, size);
    for (ssize_t i = 0; i < got; i++) {
        written += bytes[i] != 0;
        bits += __builtin_popcount((unsigned char)bytes[i]);
    }
    if (fd >= 0) close(fd);
    printf(", \"written\": %d, \"bits\": %d}\n", written, bits);
    unlink(path);
    unlink(file);
    snprintf(file, sizeof file, "%s/state", folder);
    unlink(file);
    rmdir(folder);
    return 0;
}
