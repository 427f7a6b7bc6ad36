// A program whose system calls are known: between two marks, two threads of 1,000 readlinkat each,
// one of which then opens, reads and closes a file named `config` 500 times.
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void* ReadLinks(void* unused) {
  char target[64];
  for (int i = 0; i < 1000; ++i) {
    if (readlinkat(AT_FDCWD, "/proc/self", target, sizeof(target)) < 0) abort();
  }
  return unused;
}

int main(int count, char** arguments) {
  if (count != 2) return 2;
  pthread_t thread;
  access("/bench-mark-begin", F_OK);
  if (pthread_create(&thread, NULL, ReadLinks, NULL) != 0) return 1;
  ReadLinks(NULL);
  for (int i = 0; i < 500; ++i) {
    char byte;
    const int fd = open(arguments[1], O_RDONLY);
    if (fd < 0 || read(fd, &byte, 1) < 0 || close(fd) != 0) return 1;
  }
  pthread_join(thread, NULL);
  access("/bench-mark-end", F_OK);
  return 0;
}
