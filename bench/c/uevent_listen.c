// The least that a listener of device events can do: prints, for each vDPA device that comes, when
// the event arrived (CLOCK_MONOTONIC, in nanoseconds) and the device's path. It ends with its
// stdin.
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(void) {
  const struct sockaddr_nl all = {.nl_family = AF_NETLINK, .nl_groups = 1};
  const int fd = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  if (fd < 0 || bind(fd, (const struct sockaddr *)&all, sizeof all) != 0) return 1;
  puts("ready");
  fflush(stdout);
  struct pollfd both[2] = {{.fd = fd, .events = POLLIN}, {.fd = STDIN_FILENO, .events = POLLIN}};
  char message[16384];
  while (poll(both, 2, -1) > 0 && both[1].revents == 0) {
    const ssize_t length = recv(fd, message, sizeof message - 1, 0);
    if (length <= 0) continue;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    message[length] = '\0';
    if (strncmp(message, "add@", 4) != 0) continue;
    for (const char *word = message; word < message + length; word += strlen(word) + 1) {
      if (strcmp(word, "SUBSYSTEM=vdpa") != 0) continue;
      printf("%lld%09ld %s\n", (long long)now.tv_sec, now.tv_nsec, message + 4);
      fflush(stdout);
    }
  }
  return 0;
}
