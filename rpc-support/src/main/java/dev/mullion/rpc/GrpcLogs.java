package dev.mullion.rpc;

import dev.mullion.net.base.BoundedLog;
import java.util.Arrays;
import java.util.List;
import java.util.logging.Filter;
import java.util.logging.Level;
import java.util.logging.LogRecord;
import java.util.logging.Logger;
import java.util.logging.SimpleFormatter;
import org.jspecify.annotations.Nullable;

/**
 * Limits the rate of gRPC's log lines about its peers. gRPC logs a line with a stack trace for each
 * invalid frame, and one connection can send some ten thousand of them in a second. This class
 * keeps one line of each kind per second, with its logger name and level, and the number of those
 * left out. Lines below {@code INFO}, which are off by default, are all kept.
 */
final class GrpcLogs implements Filter {
  /** The kinds of lines that a peer can cause at any rate, by the beginning of the line. */
  private enum Line {
    STREAM_ERROR("Stream Error"),
    HEADERS("Exception in onHeadersRead"),
    DATA("Exception in onDataRead"),
    RESET("Exception in onRstStreamRead"),
    MESSAGE("Exception processing message"),
    TRANSPORT("Transport failed"),
    TRAILERS("Expected header TE"),
    PING("Received unexpected ping ack"),
    OTHER("");

    private final String beginning;

    Line(String beginning) {
      this.beginning = beginning;
    }

    static Line of(@Nullable String text) {
      return Arrays.stream(values())
          .filter(each -> text != null && text.startsWith(each.beginning))
          .findFirst()
          .orElse(OTHER);
    }
  }

  private static final List<String> NAMES = List.of(
      "io.grpc.netty.NettyServerHandler",
      "io.grpc.netty.NettyServerStream",
      "io.grpc.netty.NettyServerTransport.connections",
      "io.grpc.netty.NettyClientHandler",
      "io.grpc.netty.NettyClientStream",
      "io.grpc.internal.AbstractServerStream",
      "io.grpc.internal.AbstractClientStream",
      "io.grpc.internal.ClientCallImpl",
      "io.grpc.internal.SerializingExecutor",
      "io.grpc.internal.ServerCallImpl",
      "io.grpc.internal.ServerImpl");

  /** Held strongly, since the log manager would drop the loggers with their filters. */
  private static final List<Logger> BOUNDED =
      NAMES.stream().map(GrpcLogs::bounded).toList();

  /** Set while a line that is kept passes through the filter again. */
  private static final ThreadLocal<Boolean> LEFT = ThreadLocal.withInitial(() -> false);

  /** Formats a message with its arguments. */
  private static final SimpleFormatter FORMAT = new SimpleFormatter();

  private final BoundedLog<Line> log;
  private final @Nullable Filter before;

  private GrpcLogs(Logger logger) {
    log = new BoundedLog<>(System.getLogger(logger.getName()), Line.class);
    before = logger.getFilter();
  }

  /** Limits the loggers, unless they are limited already; returns their number. */
  static int bound() {
    return BOUNDED.size();
  }

  private static Logger bounded(String name) {
    Logger logger = Logger.getLogger(name);
    logger.setFilter(new GrpcLogs(logger));
    return logger;
  }

  @Override
  public boolean isLoggable(LogRecord entry) {
    if (before != null && !before.isLoggable(entry)) {
      return false;
    }
    if (LEFT.get() || entry.getLevel().intValue() < Level.INFO.intValue()) {
      return true;
    }
    Object peer = FirstBytes.peerBeingRead();
    LEFT.set(true);
    try {
      log.log(
          Line.of(entry.getMessage()),
          level(entry.getLevel()),
          peer,
          () -> FORMAT.formatMessage(entry) + (peer == null ? "" : " (peer " + peer + ")"),
          entry.getThrown());
    } finally {
      LEFT.remove();
    }
    return false;
  }

  private static System.Logger.Level level(Level level) {
    if (level.intValue() >= Level.SEVERE.intValue()) {
      return System.Logger.Level.ERROR;
    }
    return level.intValue() >= Level.WARNING.intValue()
        ? System.Logger.Level.WARNING
        : System.Logger.Level.INFO;
  }
}
