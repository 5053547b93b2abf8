/* The load: agents that report, dashboards that drain, and the clock that both are read by.
 *
 * One thread, one epoll. It speaks as much of RFC 6455 as is needed: masked text frames out; whole
 * messages counted in; pings answered. Agents send one prepared message; only the time of sending
 * is written into it, so that a dashboard's end can tell how long the message was on its way.
 *
 * In a closed loop (--in-flight) the next report goes out when an earlier one has reached all
 * dashboards; in an open loop (--rate) each agent sends so many a second, come what may.
 *
 * It says in lines of JSON what it has come to: "connected", "measuring", "first" (a report has
 * arrived), "result". It ends by itself, or at the end of its standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define HEAD_BYTES 192     /* of a message, kept to see what it is and when it was sent */
#define RESPONSE_BYTES 2048 /* of an HTTP response to a handshake */
#define AT_ONCE 128        /* handshakes under way, unless it is a herd */
#define EPOCH 1000000000000000000LL /* makes the time 19 digits, always */
#define STALL_NS 500000000LL /* without an arrival, reports in flight are given up as lost */
#define MOST_SAMPLES (8u << 20)

enum role { AGENT, DASHBOARD, STALLED };
enum state { IDLE, CONNECTING, HANDSHAKE, OPEN, DEAD };

struct connection {
    int fd;
    enum role role;
    enum state state;
    int number;           /* an agent's */
    int is_herd;
    char *response;       /* what has come of the handshake's answer */
    size_t response_size;
    unsigned char frame_head[14];
    int frame_head_size;
    int in_payload, fin, opcode;
    uint64_t left;        /* bytes of the payload still to come */
    char head[HEAD_BYTES];
    int head_size;
    char *unsent;
    size_t unsent_size, unsent_done;
};

static struct {
    int port, pid, agents, dashboards, stalled, herd, in_flight, deflate;
    double rate, warmup, seconds, nap, spread;
    const char *body;
} options = {.seconds = 2, .warmup = 0.5};

static int epoll_fd, timer_fd;
static long long herd_since; /* when the herd set out, in ns; 0 before */
static struct connection *connections;
static int total, next_to_connect, under_way, settled;
static int *open_agents, open_agent_count;
static char *frame;
static size_t frame_size, stamp_at, payload_at;
static const unsigned char MASK[4] = {0x37, 0xfa, 0x21, 0x3d};

static long long sent, delivered, received_bytes, other_messages, answers, lost;
static long long sent_in_phase, delivered_base;
static long long refused, unreachable, closed_later, last_close_code;
static long long last_arrival;
static int first_told, refusal_status;
static uint32_t *samples;
static size_t sample_count;
static int measuring;

static long long now_ns(clockid_t clock) {
    struct timespec t;
    if (clock_gettime(clock, &t) != 0) return 0;
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* All threads, those that have ended too; the sum of the same counters as in schedstat. */
static long long cpu_of(int pid) {
    clockid_t clock;
    if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0) return 0;
    return now_ns(clock);
}

static void die(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put_stamp(long long time) {
    long long rest = EPOCH + time;
    for (int i = 18; i >= 0; i--, rest /= 10)
        frame[stamp_at + i] = (char)('0' + rest % 10) ^ MASK[(stamp_at + i - payload_at) & 3];
}

static void prepare_frame(void) {
    FILE *file = fopen(options.body, "rb");
    if (!file) die(options.body);
    static char text[1 << 20];
    size_t size = fread(text, 1, sizeof text, file);
    fclose(file);
    char *stamp = memmem(text, size, "\"sent\":", 7);
    if (!stamp) { errno = EINVAL; die("the body has no \"sent\""); }
    frame = malloc(size + 14);
    unsigned char *p = (unsigned char *)frame;
    *p++ = 0x81;
    if (size < 126) {
        *p++ = 0x80 | size;
    } else if (size < 65536) {
        *p++ = 0x80 | 126;
        *p++ = size >> 8;
        *p++ = size & 255;
    } else {
        *p++ = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) *p++ = (uint64_t)size >> shift;
    }
    memcpy(p, MASK, 4);
    p += 4;
    payload_at = p - (unsigned char *)frame;
    for (size_t i = 0; i < size; i++) *p++ = text[i] ^ MASK[i & 3];
    frame_size = payload_at + size;
    stamp_at = payload_at + (stamp + 7 - text);
}

static void watch(struct connection *c, uint32_t events, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = c};
    epoll_ctl(epoll_fd, operation, c->fd, &event);
}

static void settle(struct connection *c) {
    if (c->state == CONNECTING || c->state == HANDSHAKE) {
        under_way--;
        settled++;
    }
}

static void bury(struct connection *c) {
    if (c->state == OPEN) closed_later++;
    settle(c);
    c->state = DEAD;
    close(c->fd);
    c->fd = -1;
    free(c->response);
    free(c->unsent);
    c->response = c->unsent = NULL;
    c->unsent_size = c->unsent_done = 0;
}

static void begin(struct connection *c) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(options.port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0) die("socket");
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    c->state = CONNECTING;
    under_way++;
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) != 0 && errno != EINPROGRESS) {
        unreachable++;
        bury(c);
        return;
    }
    watch(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void send_request(struct connection *c) {
    char request[512], more[128] = "";
    /* As browsers do. What is compressed is not read here: for connections that idle. */
    if (options.deflate)
        strcpy(more, "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n");
    if (c->role == AGENT)
        snprintf(more, sizeof more, "Authorization: Bearer benchmark-agent-token-%06d\r\n",
                 c->number);
    int size = snprintf(
        request, sizeof request,
        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n%s\r\n",
        c->role == AGENT ? "/ws/agent" : "/ws", options.port, more);
    c->state = HANDSHAKE;
    c->response = malloc(RESPONSE_BYTES);
    c->response_size = 0;
    if (send(c->fd, request, size, MSG_NOSIGNAL) != size) {
        unreachable++;
        bury(c);
        return;
    }
    watch(c, EPOLLIN, EPOLL_CTL_MOD);
}

/* Send, or keep what the socket does not take; a frame is never broken off. */
static void send_frame(struct connection *c, const char *data, size_t size) {
    size_t done = 0;
    if (c->unsent_size == 0) {
        ssize_t n = send(c->fd, data, size, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) {
            bury(c);
            return;
        }
        if (n > 0) done = n;
        if (done == size) return;
        watch(c, EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
    }
    c->unsent = realloc(c->unsent, c->unsent_size + size - done);
    memcpy(c->unsent + c->unsent_size, data + done, size - done);
    c->unsent_size += size - done;
}

static void send_rest(struct connection *c) {
    ssize_t n = send(c->fd, c->unsent + c->unsent_done, c->unsent_size - c->unsent_done,
                     MSG_NOSIGNAL);
    if (n < 0) {
        if (errno != EAGAIN) bury(c);
        return;
    }
    c->unsent_done += n;
    if (c->unsent_done == c->unsent_size) {
        c->unsent_size = c->unsent_done = 0;
        watch(c, EPOLLIN, EPOLL_CTL_MOD);
    }
}

static void report(struct connection *c) {
    if (c->state != OPEN) return;
    put_stamp(now_ns(CLOCK_MONOTONIC));
    send_frame(c, frame, frame_size);
}

static void report_next(void) {
    report(&connections[open_agents[sent % open_agent_count]]);
    sent++;
    sent_in_phase++;
}

static void take_message(struct connection *c, long long now) {
    static const char METRICS[] = "{\"type\":\"metrics\"";
    /* A relay may write JSON with spaces; both are messages. */
    static const char SPACED[] = "{\"type\": \"metrics\"";
    if (c->opcode == 9) {
        char pong[] = {(char)0x8a, (char)0x80, 0, 0, 0, 0};
        send_frame(c, pong, sizeof pong);
        return;
    }
    if (c->opcode == 8) {
        if (c->head_size >= 2)
            last_close_code = (unsigned char)c->head[0] << 8 | (unsigned char)c->head[1];
        return;
    }
    if (c->opcode > 2) return;
    if (c->role == AGENT) { /* an agent is told only what was wrong */
        if (answers++ == 0)
            fprintf(stderr, "load: an agent is told: %.*s\n", c->head_size, c->head);
        return;
    }
    if (c->head_size < (int)sizeof SPACED ||
        (memcmp(c->head, METRICS, sizeof METRICS - 1) != 0 &&
         memcmp(c->head, SPACED, sizeof SPACED - 1) != 0)) {
        other_messages++;
        return;
    }
    delivered++;
    last_arrival = now;
    if (!first_told) {
        first_told = 1;
        printf("{\"event\":\"first\"}\n");
        fflush(stdout);
    }
    if (!measuring || sample_count >= MOST_SAMPLES) return;
    char *stamp = memmem(c->head, c->head_size, "\"sent\":", 7);
    if (stamp) {
        stamp += 7;
        while (stamp < c->head + c->head_size && *stamp == ' ') stamp++;
        long long then = 0;
        for (int i = 0; i < 19 && stamp < c->head + c->head_size; i++)
            then = then * 10 + (*stamp++ - '0');
        long long micros = (now - (then - EPOCH)) / 1000;
        samples[sample_count++] = micros < 0 ? 0 : micros;
    }
}

static void take_bytes(struct connection *c, const unsigned char *data, size_t size,
                       long long now) {
    while (c->state == OPEN && (size > 0 || (c->in_payload && c->left == 0))) {
        if (!c->in_payload) {
            c->frame_head[c->frame_head_size++] = *data++;
            size--;
            if (c->frame_head_size < 2) continue;
            int code = c->frame_head[1] & 127;
            int want = code == 127 ? 10 : code == 126 ? 4 : 2;
            if (c->frame_head_size < want) continue;
            c->left = code;
            if (code >= 126) {
                c->left = 0;
                for (int i = 2; i < want; i++) c->left = c->left << 8 | c->frame_head[i];
            }
            c->frame_head_size = 0;
            c->fin = c->frame_head[0] >> 7;
            int opcode = c->frame_head[0] & 15;
            if (opcode) { /* 0 goes on with what came before */
                c->opcode = opcode;
                c->head_size = 0;
            }
            c->in_payload = 1;
        }
        size_t part = size < c->left ? size : c->left;
        size_t room = HEAD_BYTES - c->head_size;
        size_t keep = part < room ? part : room;
        memcpy(c->head + c->head_size, data, keep);
        c->head_size += keep;
        data += part;
        size -= part;
        c->left -= part;
        if (c->left == 0) {
            c->in_payload = 0;
            if (c->fin) take_message(c, now);
        }
    }
}

static void take_response(struct connection *c, long long now) {
    ssize_t n = recv(c->fd, c->response + c->response_size, RESPONSE_BYTES - 1 - c->response_size,
                     0);
    if (n < 0 && errno == EAGAIN) return;
    if (n <= 0) {
        unreachable++;
        bury(c);
        return;
    }
    c->response_size += n;
    c->response[c->response_size] = 0;
    char *end = strstr(c->response, "\r\n\r\n");
    if (!end) return;
    if (strncmp(c->response, "HTTP/1.1 101", 12) != 0) {
        refused++;
        refusal_status = atoi(c->response + 9);
        bury(c);
        return;
    }
    settle(c);
    c->state = OPEN;
    if (c->role == AGENT && !c->is_herd) open_agents[open_agent_count++] = c - connections;
    if (c->role == STALLED) {
        watch(c, 0, EPOLL_CTL_DEL);
    } else {
        size_t used = end + 4 - c->response;
        take_bytes(c, (unsigned char *)end + 4, c->response_size - used, now);
    }
    free(c->response);
    c->response = NULL;
    if (c->is_herd && options.body) report(c); /* as an agent does: at once */
}

static void take_events(int wait_ms) {
    static unsigned char buffer[256 * 1024];
    struct epoll_event events[256];
    int count = epoll_wait(epoll_fd, events, 256, wait_ms);
    long long now = now_ns(CLOCK_MONOTONIC);
    for (int i = 0; i < count; i++) {
        struct connection *c = events[i].data.ptr;
        if (c == NULL) { /* the timer */
            uint64_t ticks;
            if (read(timer_fd, &ticks, sizeof ticks) < 0 && errno != EAGAIN) die("timer");
            continue;
        }
        if (c == (void *)&options) { /* standard input has ended */
            options.seconds = 0;
            options.warmup = 0;
            epoll_ctl(epoll_fd, EPOLL_CTL_DEL, 0, NULL);
            continue;
        }
        if (c->state == CONNECTING) {
            int error = 0;
            socklen_t length = sizeof error;
            getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &length);
            if (error) {
                unreachable++;
                bury(c);
            } else {
                send_request(c);
            }
            continue;
        }
        if (c->state == HANDSHAKE) {
            take_response(c, now);
            continue;
        }
        if (c->state == OPEN && (events[i].events & EPOLLOUT) && c->unsent_size) send_rest(c);
        if (c->state == OPEN && (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
            ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
            if (n > 0) {
                received_bytes += n;
                take_bytes(c, buffer, n, now_ns(CLOCK_MONOTONIC));
            } else if (n == 0 || errno != EAGAIN) {
                bury(c);
            }
        }
    }
}

static void connect_some(int end, int at_once) {
    while (next_to_connect < end && under_way < at_once) begin(&connections[next_to_connect++]);
}

/* Send what is due; return how long nothing will be, in ns. */
static long long drive(long long started, long long now) {
    if (open_agent_count == 0 || sent_in_phase < 0) return 100000000;
    if (options.in_flight > 0) {
        if (now - last_arrival > STALL_NS) {
            long long reached = options.dashboards ? (delivered - delivered_base) /
                                                         options.dashboards : 0;
            if (sent_in_phase > reached) {
                lost += sent_in_phase - reached;
                delivered_base = delivered - sent_in_phase * options.dashboards;
            }
            last_arrival = now;
        }
        while (sent_in_phase - (delivered - delivered_base) / options.dashboards <
               options.in_flight)
            report_next();
        return 100000000;
    }
    if (options.rate <= 0) return 100000000;
    double per_ns = options.rate * open_agent_count / 1e9;
    long long due = (long long)((now - started) * per_ns);
    while (sent_in_phase < due) report_next();
    return (long long)((sent_in_phase + 1) / per_ns) - (now - started);
}

/* Let those of the herd begin whose turn has come; return how long none has, in ns. */
static long long let_herd_in(long long now) {
    if (herd_since == 0 || next_to_connect == total) return 100000000;
    double per_ns = options.spread > 0 ? options.herd / (options.spread * 1e9) : 1e9;
    double due = (now - herd_since) * per_ns + 1;
    int end = due < options.herd ? total - options.herd + (int)due : total;
    connect_some(end, total + 1);
    return (long long)(1 / per_ns);
}

static void run_until(long long end, long long started, int target) {
    for (;;) {
        long long now = now_ns(CLOCK_MONOTONIC);
        if (now >= end || options.seconds == 0 || settled >= target) return;
        long long pause = drive(started, now);
        long long pause_of_herd = let_herd_in(now);
        if (pause > pause_of_herd) pause = pause_of_herd;
        if (pause > end - now) pause = end - now;
        if (pause < 1000) pause = 1000;
        struct itimerspec when = {.it_value = {pause / 1000000000, pause % 1000000000}};
        timerfd_settime(timer_fd, 0, &when, NULL);
        take_events(-1);
        /* Let more come before the next look: one that looks at each message is soon too slow. */
        if (options.nap > 0) {
            struct timespec nap = {0, (long)(options.nap * 1e9)};
            nanosleep(&nap, NULL);
        }
    }
}

static int by_value(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static double quantile(double share) {
    return sample_count ? samples[(size_t)((sample_count - 1) * share)] / 1000.0 : 0;
}

static void read_options(int count, char **words) {
    static const struct option known[] = {
        {"port", 1, 0, 'p'},    {"pid", 1, 0, 'i'},     {"agents", 1, 0, 'a'},
        {"dashboards", 1, 0, 'd'}, {"stalled", 1, 0, 's'}, {"herd", 1, 0, 'h'},
        {"in-flight", 1, 0, 'f'}, {"rate", 1, 0, 'r'},  {"warmup", 1, 0, 'w'},
        {"seconds", 1, 0, 't'}, {"body", 1, 0, 'b'},    {"nap", 1, 0, 'n'},     {"deflate", 1, 0, 'z'},
        {"spread", 1, 0, 'j'},
        {0, 0, 0, 0}};
    int c;
    while ((c = getopt_long(count, words, "", known, NULL)) != -1) switch (c) {
        case 'p': options.port = atoi(optarg); break;
        case 'i': options.pid = atoi(optarg); break;
        case 'a': options.agents = atoi(optarg); break;
        case 'd': options.dashboards = atoi(optarg); break;
        case 's': options.stalled = atoi(optarg); break;
        case 'h': options.herd = atoi(optarg); break;
        case 'f': options.in_flight = atoi(optarg); break;
        case 'r': options.rate = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        case 'b': options.body = optarg; break;
        case 'z': options.deflate = atoi(optarg); break;
        case 'n': options.nap = atof(optarg); break;
        case 'j': options.spread = atof(optarg); break;
        default: exit(2);
        }
    if (options.in_flight > 0 && options.dashboards == 0) {
        fprintf(stderr, "load: a closed loop needs a dashboard\n");
        exit(2);
    }
}

int main(int count, char **words) {
    read_options(count, words);
    signal(SIGPIPE, SIG_IGN);
    if (options.body) prepare_frame();
    int early = options.agents + options.dashboards + options.stalled;
    total = early + options.herd;
    connections = calloc(total + 1, sizeof *connections);
    open_agents = calloc(total + 1, sizeof *open_agents);
    samples = malloc(MOST_SAMPLES * sizeof *samples); /* touched only as far as it is used */
    for (int i = 0; i < total; i++) {
        struct connection *c = &connections[i];
        c->fd = -1;
        if (i < options.agents) {
            c->role = AGENT, c->number = i;
        } else if (i < options.agents + options.stalled) {
            c->role = STALLED;
        } else if (i < early) {
            c->role = DASHBOARD;
        } else {
            c->role = AGENT, c->number = options.agents + i - early, c->is_herd = 1;
        }
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    struct epoll_event tick = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, timer_fd, &tick);
    struct epoll_event ended = {.events = EPOLLIN | EPOLLHUP, .data.ptr = &options};
    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &ended);

    long long started = now_ns(CLOCK_MONOTONIC), limit = started + 60000000000LL;
    while (settled < early && now_ns(CLOCK_MONOTONIC) < limit && options.seconds > 0) {
        connect_some(early, AT_ONCE);
        take_events(100);
    }
    printf("{\"event\":\"connected\",\"seconds\":%.3f,\"agents\":%d,\"refused\":%lld,"
           "\"unreachable\":%lld}\n",
           (now_ns(CLOCK_MONOTONIC) - started) / 1e9, open_agent_count, refused, unreachable);
    fflush(stdout);

    started = last_arrival = now_ns(CLOCK_MONOTONIC);
    delivered_base = delivered;
    if (!options.body) sent_in_phase = -1;
    run_until(started + (long long)(options.warmup * 1e9), started, total + 1);

    long long sent_before = sent, delivered_before = delivered, bytes_before = received_bytes;
    long long lost_before = lost, other_before = other_messages;
    measuring = 1;
    printf("{\"event\":\"measuring\"}\n");
    fflush(stdout);
    long long wall = now_ns(CLOCK_MONOTONIC), own = now_ns(CLOCK_PROCESS_CPUTIME_ID);
    long long cpu = cpu_of(options.pid);
    herd_since = wall;
    run_until(wall + (long long)(options.seconds * 1e9), started,
              options.herd ? total : total + 1);
    long long all_in = now_ns(CLOCK_MONOTONIC) - wall;
    /* What the herd has sent is still on its way. */
    if (options.herd)
        run_until(now_ns(CLOCK_MONOTONIC) + 1000000000, started, total + 1);
    cpu = cpu_of(options.pid) - cpu;
    own = now_ns(CLOCK_PROCESS_CPUTIME_ID) - own;
    wall = now_ns(CLOCK_MONOTONIC) - wall;

    qsort(samples, sample_count, sizeof *samples, by_value);
    int in = 0;
    for (int i = 0; i < total; i++) in += connections[i].state == OPEN;
    printf("{\"event\":\"result\",\"wall\":%.6f,\"cpu\":%.6f,\"own_cpu\":%.6f,\"sent\":%lld,"
           "\"delivered\":%lld,\"bytes\":%lld,\"other\":%lld,\"answers\":%lld,\"lost\":%lld,\"refused\":%lld,"
           "\"refusal_status\":%d,\"unreachable\":%lld,\"closed\":%lld,\"close_code\":%lld,"
           "\"open\":%d,\"all_in\":%.6f,\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}\n",
           wall / 1e9, cpu / 1e9, own / 1e9, sent - sent_before, delivered - delivered_before,
           received_bytes - bytes_before, other_messages - other_before, answers, lost - lost_before,
           refused, refusal_status, unreachable, closed_later, last_close_code, in, all_in / 1e9, quantile(0.5),
           quantile(0.99), quantile(1));
    return 0;
}
