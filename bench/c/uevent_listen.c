// The least that a listener of device events can do, in the words of `udevadm monitor --kernel`:
// for each vDPA device that comes, when the event arrived (CLOCK_MONOTONIC, in seconds) and the
// device's path.
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

int main(void) {
  const struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1};
  const int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&all, sizeof all) != 0) return 1;
  puts("KERNEL - the kernel uevent");
  fflush(stdout);
  char message[16384];
  for (;;) {
    const ssize_t length = recv(fd, message, sizeof message - 1, 0);
    if (length <= 0) continue;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    message[length] = '\0';
    if (strncmp(message, "add@", 4) != 0) continue;
    for (const char *word = message; word < message + length; word += strlen(word) + 1) {
      if (strcmp(word, "SUBSYSTEM=vdpa") != 0) continue;
      printf("KERNEL[%lld.%06ld] add %s (vdpa)\n", (long long)now.tv_sec, now.tv_nsec / 1000, message + 4);
      fflush(stdout);
    }
  }
}
