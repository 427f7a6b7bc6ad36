// SPDX-License-Identifier: Apache-2.0
/*
 * guard PARENT DIR COMMAND [ARG...]: run COMMAND so that nothing of it outlives its owner.
 *
 * User-Mode Linux is many host processes: the kernel, its helper threads and one process per guest
 * address space. The guard is the reaper of all of them. When COMMAND ends, when the guard gets a
 * signal, or when process PARENT dies (even by SIGKILL), it kills every one that is left and waits
 * for it. If PARENT is dead, nobody can clean up after the run: then the guard also removes the
 * directory DIR ("-": none).
 *
 * Exit status: COMMAND's; 128 + N when signal N ended it; 125 when it could not be started.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int status_of(int wait_status)
{
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}

static int parent_of(const char *pid)
{
	char path[64], line[512], *end;
	FILE *file;
	int parent = -1;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	file = fopen(path, "re");
	if (!file)
		return -1;
	/* The command name may hold anything; the last parenthesis ends it. */
	if (fgets(line, sizeof(line), file)) {
		end = strrchr(line, ')');
		if (end)
			sscanf(end + 1, " %*c %d", &parent);
	}
	fclose(file);
	return parent;
}

static void kill_children(void)
{
	struct dirent *entry;
	DIR *proc = opendir("/proc");

	if (!proc)
		return;
	while ((entry = readdir(proc)))
		if (isdigit((unsigned char)entry->d_name[0]) && parent_of(entry->d_name) == getpid())
			kill(atoi(entry->d_name), SIGKILL);
	closedir(proc);
}

/* The guard is a subreaper: the orphans of a killed child become its own children, so repeat. */
static void kill_everything(int child, int *child_status)
{
	int wait_status, pid;

	for (;;) {
		kill_children();
		pid = waitpid(-1, &wait_status, WNOHANG | __WALL);
		if (pid < 0 && errno == ECHILD)
			return;
		if (pid == child)
			*child_status = status_of(wait_status);
		if (pid == 0)
			usleep(1000);
	}
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int main(int argc, char **argv)
{
	int parent, child, pid, wait_status, status = -1;
	siginfo_t info;
	sigset_t set;

	if (argc < 4) {
		fprintf(stderr, "usage: guard PARENT DIR COMMAND [ARG...]\n");
		return 125;
	}
	parent = atoi(argv[1]);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* A parent that died before the line above sends nothing any more. */
	if (getppid() != parent)
		raise(SIGTERM);

	child = fork();
	if (child < 0) {
		perror("guard: fork");
		return 125;
	}
	if (child == 0) {
		/* A session of its own: the terminal's Ctrl-C is for the owner, not for the kernel. */
		setsid();
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_UNBLOCK, &set, NULL);
		execvp(argv[3], argv + 3);
		fprintf(stderr, "guard: %s: %s\n", argv[3], strerror(errno));
		_exit(125);
	}

	while (status < 0) {
		if (sigwaitinfo(&set, &info) < 0)
			continue;
		if (info.si_signo != SIGCHLD) {
			status = 128 + info.si_signo;
			break;
		}
		while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0)
			if (pid == child)
				status = status_of(wait_status);
	}
	kill_everything(child, &wait_status);
	if (getppid() != parent && strcmp(argv[2], "-") != 0)
		nftw(argv[2], remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	return status;
}
