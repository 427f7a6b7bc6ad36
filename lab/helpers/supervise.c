// SPDX-License-Identifier: Apache-2.0
/*
 * supervise STDOUT STDERR RESULT COMMAND [ARG...]: the lab's link between a command in the guest
 * and the runner on the host.
 *
 * The command gets pipes, not the consoles, so it sees no terminal; the two consoles STDOUT and
 * STDERR, if they are terminals, are put in raw mode, so that its bytes leave the guest as they are. When the command has
 * ended, whatever it left running is killed, the rest of its output is passed on, and RESULT says
 * "exit N" or "signal N". Exit status: the command's, or 128 + N.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

struct stream {
	int pipe[2];
	int console;
	int terminal;	/* whether the console is one */
};

static char buffer[65536];

static void die(const char *what)
{
	perror(what);
	exit(125);
}

static void on_child(int signo)
{
	(void)signo;
}

static void open_stream(struct stream *stream, const char *console)
{
	struct termios mode;

	stream->console = open(console, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (stream->console < 0 || pipe2(stream->pipe, O_CLOEXEC))
		die(console);
	stream->terminal = !tcgetattr(stream->console, &mode);
	if (stream->terminal) {
		cfmakeraw(&mode);
		if (tcsetattr(stream->console, TCSANOW, &mode))
			die(console);
	}
	fcntl(stream->pipe[0], F_SETFL, O_NONBLOCK);
}

/* Pass on what is there. Returns false at the end of the stream. */
static int pump(struct stream *stream)
{
	ssize_t got, put, done;

	while ((got = read(stream->pipe[0], buffer, sizeof(buffer))) > 0) {
		for (done = 0; done < got; done += put) {
			put = write(stream->console, buffer + done, got - done);
			if (put < 0 && errno != EINTR)
				die("console");
			if (put < 0)
				put = 0;
		}
	}
	return got < 0 && (errno == EAGAIN || errno == EINTR);
}

/* Wait until all that was written has reached the host. */
static void drain(struct stream *stream)
{
	struct pollfd port = { .fd = stream->console, .events = POLLOUT };

	/* A virtio port takes one buffer at a time: it is writable when the host has had the last. */
	if (stream->terminal)
		tcdrain(stream->console);
	else
		while (poll(&port, 1, -1) < 0 && errno == EINTR)
			;
}

static int start(struct stream *streams, char **argv, const sigset_t *mask)
{
	int child = fork(), null;

	if (child < 0)
		die("fork");
	if (child)
		return child;
	setsid();
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	null = open("/dev/null", O_RDONLY);
	if (dup2(null, 0) < 0 || dup2(streams[0].pipe[1], 1) < 0 || dup2(streams[1].pipe[1], 2) < 0)
		die("dup2");
	if (null > 2)
		close(null);
	execvp(argv[0], argv);
	fprintf(stderr, "lab: %s: %s\n", argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* The orphans of the guest are init's children, so only the command itself is waited for. */
static int supervise(struct stream *streams, int child, const sigset_t *mask)
{
	struct pollfd fds[2];
	int i, wait_status;

	for (i = 0; i < 2; i++)
		fds[i] = (struct pollfd){ .fd = streams[i].pipe[0], .events = POLLIN };
	for (;;) {
		if (waitpid(child, &wait_status, WNOHANG) == child)
			return wait_status;
		if (ppoll(fds, 2, NULL, mask) < 0)
			continue;
		for (i = 0; i < 2; i++)
			if (fds[i].revents && !pump(&streams[i]))
				fds[i].fd = -1;
	}
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_child };
	struct stream streams[2];
	sigset_t child_signal, mask;
	int child, wait_status, i, result;

	if (argc < 5) {
		fprintf(stderr, "usage: supervise STDOUT STDERR RESULT COMMAND [ARG...]\n");
		return 125;
	}
	open_stream(&streams[0], argv[1]);
	open_stream(&streams[1], argv[2]);
	/* SIGCHLD comes only inside ppoll(), so none can be missed between waitpid() and ppoll(). */
	sigemptyset(&child_signal);
	sigaddset(&child_signal, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child_signal, &mask);
	sigaction(SIGCHLD, &action, NULL);

	child = start(streams, argv + 4, &mask);
	close(streams[0].pipe[1]);
	close(streams[1].pipe[1]);
	wait_status = supervise(streams, child, &mask);

	/* With the writers dead, what is in the pipes is all there will be. */
	kill(-1, SIGKILL);
	for (i = 0; i < 2; i++) {
		pump(&streams[i]);
		drain(&streams[i]);
	}
	result = open(argv[3], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (result < 0)
		die(argv[3]);
	if (WIFEXITED(wait_status))
		dprintf(result, "exit %d\n", WEXITSTATUS(wait_status));
	else
		dprintf(result, "signal %d\n", WTERMSIG(wait_status));
	fsync(result);
	return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
}
