/* The reference of what one send() per message costs: a relay with nothing in it.
 *
 * Agents' text frames are unmasked, put into the envelope and sent to each dashboard by one send()
 * each. No JSON is read, no token checked, no list of hosts kept; what a dashboard does not take
 * waits without a bound. It talks to load.c alone, so its handshake accepts any key.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PREFIX "{\"type\":\"metrics\",\"data\":"

struct peer {
    int fd;
    int open, is_agent, index; /* index among the dashboards */
    char id[16];
    unsigned char *in;
    size_t in_size, in_room;
    char *unsent;
    size_t unsent_size, unsent_done, unsent_room;
};

static int epoll_fd;
static struct peer **dashboards;
static int dashboard_count, dashboard_room;

static void watch(struct peer *p, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = p};
    epoll_ctl(epoll_fd, operation, p->fd, &event);
}

static void bury(struct peer *p) {
    if (p->open && !p->is_agent) {
        dashboards[p->index] = dashboards[--dashboard_count];
        dashboards[p->index]->index = p->index;
    }
    close(p->fd);
    free(p->in);
    free(p->unsent);
    free(p);
}

static void deliver(struct peer *p, const char *data, size_t size) {
    size_t done = 0;
    if (p->unsent_size == p->unsent_done) {
        ssize_t n = send(p->fd, data, size, MSG_NOSIGNAL);
        if (n > 0) done = n;
        if (done == size) return;
        if (n < 0 && errno != EAGAIN) return; /* the next read will bury it */
        p->unsent_size = p->unsent_done = 0;
        watch(p, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    if (p->unsent_size + size - done > p->unsent_room) {
        p->unsent_room = 2 * (p->unsent_size + size);
        p->unsent = realloc(p->unsent, p->unsent_room);
    }
    memcpy(p->unsent + p->unsent_size, data + done, size - done);
    p->unsent_size += size - done;
}

static void deliver_rest(struct peer *p) {
    ssize_t n = send(p->fd, p->unsent + p->unsent_done, p->unsent_size - p->unsent_done,
                     MSG_NOSIGNAL);
    if (n > 0) p->unsent_done += n;
    if (p->unsent_done == p->unsent_size) {
        free(p->unsent);
        p->unsent = NULL;
        p->unsent_size = p->unsent_done = p->unsent_room = 0;
        watch(p, EPOLLIN, EPOLL_CTL_MOD);
    }
}

static void publish(struct peer *agent, const char *message, size_t size) {
    static char out[1 << 20];
    static time_t second;
    static char stamp[24];
    size_t prefix = sizeof PREFIX - 1;
    if (size < prefix + 1 || memcmp(message, PREFIX, prefix) != 0 || size > sizeof out - 256)
        return;
    time_t now = time(NULL);
    if (now != second) {
        struct tm parts;
        gmtime_r(&now, &parts);
        strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%SZ", &parts);
        second = now;
    }
    char *p = out + 10;
    p += sprintf(p, "{\"type\":\"metrics\",\"data\":{\"server_id\":\"%s\",\"metrics\":", agent->id);
    memcpy(p, message + prefix, size - prefix - 1);
    p += size - prefix - 1;
    p += sprintf(p, "},\"timestamp\":\"%s\"}", stamp);
    size_t length = p - (out + 10);
    char *start = out + 10;
    if (length < 126) {
        *--start = length;
    } else if (length < 65536) {
        *--start = length & 255;
        *--start = length >> 8;
        *--start = 126;
    } else {
        for (int i = 0; i < 8; i++) *--start = (uint64_t)length >> (8 * i);
        *--start = 127;
    }
    *--start = (char)0x81;
    for (int i = 0; i < dashboard_count; i++) deliver(dashboards[i], start, p - start);
}

/* Return whether the peer is still to be served. */
static int shake_hands(struct peer *p) {
    static const char ANSWER[] =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    unsigned char *end = memmem(p->in, p->in_size, "\r\n\r\n", 4);
    if (!end) return p->in_size < 8192;
    p->is_agent = memmem(p->in, p->in_size, "GET /ws/agent", 13) != NULL;
    if (p->is_agent) {
        unsigned char *token = memmem(p->in, p->in_size, "agent-token-", 12);
        snprintf(p->id, sizeof p->id, "host-%.6s", token ? (char *)token + 12 : "000000");
    } else {
        if (dashboard_count == dashboard_room) {
            dashboard_room = dashboard_room ? 2 * dashboard_room : 64;
            dashboards = realloc(dashboards, dashboard_room * sizeof *dashboards);
        }
        p->index = dashboard_count;
        dashboards[dashboard_count++] = p;
    }
    p->open = 1;
    size_t used = end + 4 - p->in;
    memmove(p->in, end + 4, p->in_size - used);
    p->in_size -= used;
    return send(p->fd, ANSWER, sizeof ANSWER - 1, MSG_NOSIGNAL) == (ssize_t)sizeof ANSWER - 1;
}

static int take_frames(struct peer *p) {
    size_t at = 0;
    for (;;) {
        unsigned char *f = p->in + at;
        size_t have = p->in_size - at, head = 2;
        if (have < 6) break;
        uint64_t length = f[1] & 127;
        if (length == 126) head = 4;
        if (length == 127) head = 10;
        if (have < head + 4) break;
        if (head > 2) {
            length = 0;
            for (size_t i = 2; i < head; i++) length = length << 8 | f[i];
        }
        if (length > 1 << 19) return 0;
        if (have < head + 4 + length) break;
        unsigned char *mask = f + head, *payload = f + head + 4;
        uint32_t key32;
        memcpy(&key32, mask, 4);
        uint64_t key = (uint64_t)key32 << 32 | key32, word;
        uint64_t i = 0;
        for (; i + 8 <= length; i += 8) {
            memcpy(&word, payload + i, 8);
            word ^= key;
            memcpy(payload + i, &word, 8);
        }
        for (; i < length; i++) payload[i] ^= mask[i & 3];
        if ((f[0] & 15) == 8) return 0;
        if ((f[0] & 15) == 1 && p->is_agent) publish(p, (char *)payload, length);
        at += head + 4 + length;
    }
    memmove(p->in, p->in + at, p->in_size - at);
    p->in_size -= at;
    if (p->in_size == 0) {
        free(p->in);
        p->in = NULL;
        p->in_room = 0;
    }
    return 1;
}

static int take_bytes(struct peer *p) {
    static unsigned char buffer[64 * 1024];
    ssize_t n = recv(p->fd, buffer, sizeof buffer, 0);
    if (n < 0 && errno == EAGAIN) return 1;
    if (n <= 0) return 0;
    if (p->in_size + n > p->in_room) {
        p->in_room = p->in_size + n;
        p->in = realloc(p->in, p->in_room);
    }
    memcpy(p->in + p->in_size, buffer, n);
    p->in_size += n;
    return (p->open || shake_hands(p)) && (!p->open || take_frames(p));
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(count > 1 ? atoi(words[1]) : 0)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) {
        perror("relay");
        return 1;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    printf("listening on port %s\n", words[1]);
    fflush(stdout);
    for (;;) {
        struct epoll_event events[256];
        int ready = epoll_wait(epoll_fd, events, 256, -1);
        for (int i = 0; i < ready; i++) {
            struct peer *p = events[i].data.ptr;
            if (p == NULL) {
                int fd;
                while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
                    p = calloc(1, sizeof *p);
                    p->fd = fd;
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    watch(p, EPOLLIN, EPOLL_CTL_ADD);
                }
                continue;
            }
            if (events[i].events & EPOLLOUT && p->unsent_size > p->unsent_done) deliver_rest(p);
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) && !take_bytes(p)) bury(p);
        }
    }
}
