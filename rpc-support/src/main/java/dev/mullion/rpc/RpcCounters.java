package dev.mullion.rpc;

import io.grpc.Status;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * What a server has done since it started. Calls of health and reflection are not counted. Any
 * thread may read it.
 */
public final class RpcCounters {
  private static final int CODES = Status.Code.values().length;

  final AtomicInteger connectionsOpen = new AtomicInteger();
  final LongAdder connectionsOpened = new LongAdder();
  final LongAdder connectionsRefused = new LongAdder();
  final LongAdder connectionsOfOtherProtocols = new LongAdder();
  final LongAdder connectionsFailedInTls = new LongAdder();
  final LongAdder connectionsTimedOut = new LongAdder();
  final LongAdder connectionsEndedForResets = new LongAdder();
  final LongAdder connectionsEndedForPings = new LongAdder();
  final LongAdder connectionsEndedForStreamErrors = new LongAdder();
  final LongAdder connectionsEndedForContinuations = new LongAdder();
  final LongAdder connectionsEndedForControlFrames = new LongAdder();
  final LongAdder connectionsEndedForOther = new LongAdder();
  final AtomicInteger callsOpen = new AtomicInteger();
  final AtomicInteger callsWaiting = new AtomicInteger();
  final LongAdder callsWithoutThread = new LongAdder();
  final LongAdder callsStarted = new LongAdder();
  final LongAdder callsRefused = new LongAdder();
  final LongAdder callsTimedOut = new LongAdder();
  final LongAdder callsCut = new LongAdder();
  final LongAdder callsMalformed = new LongAdder();
  final AtomicLong replyBytesPending = new AtomicLong();
  final LongAdder repliesRefused = new LongAdder();
  final LongAdder repliesDropped = new LongAdder();
  final LongAdder accessRecordsDropped = new LongAdder();
  final LongAdder tlsReloadsFailed = new LongAdder();
  final LongAdder observersFailed = new LongAdder();
  private final LongAdder[] callsEnded = new LongAdder[CODES];

  RpcCounters() {
    for (int i = 0; i < CODES; i++) {
      callsEnded[i] = new LongAdder();
    }
  }

  void ended(Status.Code code) {
    callsEnded[code.value()].increment();
  }

  /** Returns the counter of connections that were told to be calm for this reason. */
  LongAdder endedFor(String reason) {
    if (reason.equals("too_many_rststreams")) {
      return connectionsEndedForResets;
    }
    if (reason.equals("too_many_pings")) {
      return connectionsEndedForPings;
    }
    if (reason.equals("too_many_stream_errors")) {
      return connectionsEndedForStreamErrors;
    }
    // The rest are texts of Netty's.
    if (reason.contains("continuation")) {
      return connectionsEndedForContinuations;
    }
    return reason.contains("outstanding control frames")
        ? connectionsEndedForControlFrames
        : connectionsEndedForOther;
  }

  /** Returns how many connections are open now. */
  public int connectionsOpen() {
    return connectionsOpen.get();
  }

  /** Returns how many connections were accepted. */
  public long connectionsOpened() {
    return connectionsOpened.sum();
  }

  /** Returns how many connections were closed at once, since {@code maxConnections} were open. */
  public long connectionsRefused() {
    return connectionsRefused.sum();
  }

  /**
   * Returns how many connections were closed since their peers spoke something else than HTTP/2.
   */
  public long connectionsOfOtherProtocols() {
    return connectionsOfOtherProtocols.sum();
  }

  /** Returns how many connections ended in the handshake of TLS. */
  public long connectionsFailedInTls() {
    return connectionsFailedInTls.sum();
  }

  /**
   * Returns how many connections were closed since HTTP/2 did not begin in {@code
   * handshakeTimeout}.
   */
  public long connectionsTimedOut() {
    return connectionsTimedOut.sum();
  }

  /**
   * Returns how many connections were ended since their clients reset more calls than they may, by
   * {@code maxResets}.
   */
  public long connectionsEndedForResets() {
    return connectionsEndedForResets.sum();
  }

  /**
   * Returns how many connections were ended since their clients pinged more often than they may.
   */
  public long connectionsEndedForPings() {
    return connectionsEndedForPings.sum();
  }

  /**
   * Returns how many connections were ended since their clients had the server reset more streams
   * than {@code maxResets}, by frames or headers that break the protocol.
   */
  public long connectionsEndedForStreamErrors() {
    return connectionsEndedForStreamErrors.sum();
  }

  /** Returns how many connections were ended for a flood of {@code CONTINUATION} frames. */
  public long connectionsEndedForContinuations() {
    return connectionsEndedForContinuations.sum();
  }

  /**
   * Returns how many connections were ended since their clients asked for answers that they did not
   * read, such as by {@code SETTINGS} and {@code PING} frames.
   */
  public long connectionsEndedForControlFrames() {
    return connectionsEndedForControlFrames.sum();
  }

  /** Returns how many connections were ended by {@code ENHANCE_YOUR_CALM} for any other reason. */
  public long connectionsEndedForOther() {
    return connectionsEndedForOther.sum();
  }

  /** Returns how many calls are open now. */
  public int callsOpen() {
    return callsOpen.get();
  }

  /** Returns how many of the open calls wait for a thread to run on. */
  public int callsWaiting() {
    return callsWaiting.get();
  }

  /**
   * Returns how many calls were ended since no thread was free for {@code handlerThreadTimeout}.
   */
  public long callsWithoutThread() {
    return callsWithoutThread.sum();
  }

  /** Returns how many calls came and were not refused. */
  public long callsStarted() {
    return callsStarted.sum();
  }

  /** Returns how many calls were refused at once, since {@code maxCalls} were open. */
  public long callsRefused() {
    return callsRefused.sum();
  }

  /**
   * Returns how many streams of HTTP/2 could not become calls, for headers that gRPC does not take,
   * such as a malformed {@code grpc-timeout} or another content type. They are not among the calls.
   */
  public long callsMalformed() {
    return callsMalformed.sum();
  }

  /** Returns how many bytes of replies wait now for clients to take them. */
  public long replyBytesPending() {
    return replyBytesPending.get();
  }

  /** Returns how many calls were ended since {@code maxPendingReplyBytes} waited for clients. */
  public long repliesRefused() {
    return repliesRefused.sum();
  }

  /**
   * Returns how many calls were reset with replies that their clients had not taken: at a timeout,
   * at a stop, or since too many bytes waited. They are counted for that reason too.
   */
  public long repliesDropped() {
    return repliesDropped.sum();
  }

  /** Returns how many calls were ended by a timeout of the server's. */
  public long callsTimedOut() {
    return callsTimedOut.sum();
  }

  /** Returns how many calls were cancelled by force at a stop. */
  public long callsCut() {
    return callsCut.sum();
  }

  /**
   * Returns how many calls are missing from the access log, since it was not as quick as they were.
   */
  public long accessRecordsDropped() {
    return accessRecordsDropped.sum();
  }

  /**
   * Returns how often changed files for TLS could not be used, as {@link
   * dev.mullion.net.TlsState#failedReloads} does, which is there for channels too.
   */
  public long tlsReloadsFailed() {
    return tlsReloadsFailed.sum();
  }

  /**
   * Returns how often what watches calls has thrown: an access log, a registry of meters, or an
   * OpenTelemetry. The calls went on.
   */
  public long observersFailed() {
    return observersFailed.sum();
  }

  /** Returns how many calls ended well. */
  public long callsSucceeded() {
    return callsEnded(Status.Code.OK);
  }

  /** Returns how many calls ended with another status than {@code OK}, without those refused. */
  public long callsFailed() {
    long failed = 0;
    for (Status.Code code : Status.Code.values()) {
      failed += code == Status.Code.OK ? 0 : callsEnded(code);
    }
    return failed;
  }

  /** Returns how many calls ended with a status, without those refused. */
  public long callsEnded(Status.Code code) {
    return callsEnded[code.value()].sum();
  }

  /** Returns every counter by its name. */
  public Map<String, Long> asMap() {
    Map<String, Long> all = new LinkedHashMap<>();
    all.put("connectionsOpen", (long) connectionsOpen());
    all.put("connectionsOpened", connectionsOpened());
    all.put("connectionsRefused", connectionsRefused());
    all.put("connectionsOfOtherProtocols", connectionsOfOtherProtocols());
    all.put("connectionsFailedInTls", connectionsFailedInTls());
    all.put("connectionsTimedOut", connectionsTimedOut());
    all.put("connectionsEndedForResets", connectionsEndedForResets());
    all.put("connectionsEndedForPings", connectionsEndedForPings());
    all.put("connectionsEndedForStreamErrors", connectionsEndedForStreamErrors());
    all.put("connectionsEndedForContinuations", connectionsEndedForContinuations());
    all.put("connectionsEndedForControlFrames", connectionsEndedForControlFrames());
    all.put("connectionsEndedForOther", connectionsEndedForOther());
    all.put("callsOpen", (long) callsOpen());
    all.put("callsWaiting", (long) callsWaiting());
    all.put("callsStarted", callsStarted());
    all.put("callsSucceeded", callsSucceeded());
    all.put("callsFailed", callsFailed());
    all.put("callsRefused", callsRefused());
    all.put("callsMalformed", callsMalformed());
    all.put("callsTimedOut", callsTimedOut());
    all.put("callsWithoutThread", callsWithoutThread());
    all.put("callsCut", callsCut());
    all.put("replyBytesPending", replyBytesPending());
    all.put("repliesRefused", repliesRefused());
    all.put("repliesDropped", repliesDropped());
    all.put("accessRecordsDropped", accessRecordsDropped());
    all.put("tlsReloadsFailed", tlsReloadsFailed());
    all.put("observersFailed", observersFailed());
    return all;
  }

  /** Names every counter with its value. */
  @Override
  public String toString() {
    return "RpcCounters" + asMap();
  }
}
