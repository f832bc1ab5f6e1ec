/* What of Kafka's disk a power failure would leave (durable.c), as the stand-ins for its calls (faults.c) tell it. */
#include <sys/types.h>

/* An fsync that was asked for, and what it covers. */
struct asked { int is_kept, is_directory; off64_t size; char *listing; unsigned long long turn; };

void durable_begin(const char *directory);
/* A directory of Kafka's data; all of it is durable when it is seen for the first time. */
void durable_root(const char *path);
/* After all roots. */
void durable_ready(void);
/* Before an fsync of something of Kafka's, and after one that has ended well. */
struct asked durable_asked(int fd);
void durable_synced(int fd, struct asked *asked);
/* It was not carried out. */
void durable_forget(struct asked *asked);
/*
 * Before a call that makes the size of a file of Kafka's `to`, and after it: what is behind `from` may be other bytes. Both, as an fsync of another thread
 * may end in between.
 */
void durable_resize(int fd, off64_t from, off64_t to, int is_done);
/* Whether there are segments that were made larger than their content (log.preallocate), so that writes have to be told. */
int durable_is_written(void);
/* After a write, whatever it went to. */
void durable_written(int fd, off64_t from, off64_t to);
/* Of a file of Kafka's that a memory map of it was fsynced. */
void durable_mapped(const char *path);
