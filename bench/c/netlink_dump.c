// The least that a dump of vDPA management devices and devices can cost: one netlink socket, one
// 64 KiB buffer, messages walked by their headers and nothing made of them.
//
// Each byte on stdin asks for one round; its answer is a line with the milliseconds that the two
// dumps took, and the number of messages.
#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { kMgmtDevGet = 2, kDevGet = 5 };

static _Alignas(struct nlmsghdr) char buffer[64 * 1024];
static uint32_t sequence;

static void Fail(const char* what) {
  fprintf(stderr, "netlink_dump: %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static void Send(int fd, uint16_t family, uint16_t flags, uint8_t command, const char* name) {
  struct {
    struct nlmsghdr header;
    struct genlmsghdr generic;
    struct nlattr attribute;
    char name[16];
  } request = {0};
  size_t size = sizeof(request.header) + sizeof(request.generic);
  if (name != NULL) {
    const size_t length = strlen(name) + 1;
    request.attribute.nla_type = CTRL_ATTR_FAMILY_NAME;
    request.attribute.nla_len = (uint16_t)(NLA_HDRLEN + length);
    memcpy(request.name, name, length);
    size += NLA_ALIGN(NLA_HDRLEN + length);
  }
  request.header.nlmsg_len = (uint32_t)size;
  request.header.nlmsg_type = family;
  request.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
  request.header.nlmsg_seq = ++sequence;
  request.generic.cmd = command;
  request.generic.version = 1;
  if (send(fd, &request, size, 0) < 0) Fail("send");
}

static uint16_t FamilyId(int fd) {
  Send(fd, GENL_ID_CTRL, 0, CTRL_CMD_GETFAMILY, "vdpa");
  if (recv(fd, buffer, sizeof(buffer), 0) < 0) Fail("recv");
  const struct nlmsghdr* header = (const struct nlmsghdr*)buffer;
  if (header->nlmsg_type != GENL_ID_CTRL) Fail("no vdpa family");
  for (uint32_t at = NLMSG_LENGTH(GENL_HDRLEN); at + NLA_HDRLEN <= header->nlmsg_len;) {
    const struct nlattr* attribute = (const struct nlattr*)(buffer + at);
    if (attribute->nla_len < NLA_HDRLEN) break;
    if (attribute->nla_type == CTRL_ATTR_FAMILY_ID) {
      uint16_t id;
      memcpy(&id, buffer + at + NLA_HDRLEN, sizeof(id));
      return id;
    }
    at += NLA_ALIGN(attribute->nla_len);
  }
  Fail("no family id");
  return 0;
}

static unsigned Dump(int fd, uint16_t family, uint8_t command) {
  Send(fd, family, NLM_F_DUMP, command, NULL);
  unsigned messages = 0;
  for (;;) {
    const ssize_t got = recv(fd, buffer, sizeof(buffer), 0);
    if (got < 0) Fail("recv");
    size_t left = (size_t)got;
    const struct nlmsghdr* header = (const struct nlmsghdr*)buffer;
    for (; NLMSG_OK(header, left); header = NLMSG_NEXT(header, left)) {
      if (header->nlmsg_type == NLMSG_DONE) return messages;
      if (header->nlmsg_type == NLMSG_ERROR) Fail("the kernel refused the dump");
      ++messages;
    }
  }
}

int main(void) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
  if (fd < 0) Fail("socket");
  const uint16_t family = FamilyId(fd);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) == 1) {
    const uint64_t started = Now();
    unsigned messages = Dump(fd, family, kMgmtDevGet);
    messages += Dump(fd, family, kDevGet);
    printf("%.6f %u\n", (double)(Now() - started) / 1e6, messages);
    fflush(stdout);
  }
  return 0;
}
