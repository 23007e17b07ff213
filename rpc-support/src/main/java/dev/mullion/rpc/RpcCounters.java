package dev.mullion.rpc;

import io.grpc.Status;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.LongAdder;

/**
 * Counters of a server's work since its start. Calls to health and reflection are not counted. Any
 * thread may read them.
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

  /** Returns the counter of connections closed with {@code ENHANCE_YOUR_CALM} for a reason. */
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
    // The other texts are Netty's.
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

  /** Returns how many connections were rejected because {@code maxConnections} were open. */
  public long connectionsRefused() {
    return connectionsRefused.sum();
  }

  /** Returns how many connections were closed because their peers did not speak HTTP/2. */
  public long connectionsOfOtherProtocols() {
    return connectionsOfOtherProtocols.sum();
  }

  /** Returns how many connections failed in the TLS handshake. */
  public long connectionsFailedInTls() {
    return connectionsFailedInTls.sum();
  }

  /**
   * Returns how many connections were closed because HTTP/2 was not established within {@code
   * handshakeTimeout}.
   */
  public long connectionsTimedOut() {
    return connectionsTimedOut.sum();
  }

  /**
   * Returns how many connections were closed because their clients reset more calls than {@code
   * maxResets} permits.
   */
  public long connectionsEndedForResets() {
    return connectionsEndedForResets.sum();
  }

  /** Returns how many connections were closed because their clients pinged too often. */
  public long connectionsEndedForPings() {
    return connectionsEndedForPings.sum();
  }

  /**
   * Returns how many connections were closed because their clients violated the protocol on more
   * streams than {@code maxResets} permits.
   */
  public long connectionsEndedForStreamErrors() {
    return connectionsEndedForStreamErrors.sum();
  }

  /** Returns how many connections were closed because of a flood of {@code CONTINUATION} frames. */
  public long connectionsEndedForContinuations() {
    return connectionsEndedForContinuations.sum();
  }

  /**
   * Returns how many connections were closed because their clients did not read the answers to
   * their control frames, such as {@code SETTINGS} and {@code PING}.
   */
  public long connectionsEndedForControlFrames() {
    return connectionsEndedForControlFrames.sum();
  }

  /** Returns how many connections were closed with {@code ENHANCE_YOUR_CALM} for another reason. */
  public long connectionsEndedForOther() {
    return connectionsEndedForOther.sum();
  }

  /** Returns how many calls are open now. */
  public int callsOpen() {
    return callsOpen.get();
  }

  /** Returns how many of the open calls are waiting for a handler thread. */
  public int callsWaiting() {
    return callsWaiting.get();
  }

  /**
   * Returns how many calls were ended because no thread was free within {@code
   * handlerThreadTimeout}.
   */
  public long callsWithoutThread() {
    return callsWithoutThread.sum();
  }

  /** Returns how many calls were accepted. */
  public long callsStarted() {
    return callsStarted.sum();
  }

  /** Returns how many calls were rejected because {@code maxCalls} were open. */
  public long callsRefused() {
    return callsRefused.sum();
  }

  /**
   * Returns how many HTTP/2 streams were not calls because gRPC rejects their headers, such as a
   * malformed {@code grpc-timeout} or another content type. The other counters of calls do not
   * include them.
   */
  public long callsMalformed() {
    return callsMalformed.sum();
  }

  /** Returns how many bytes of replies are now pending until clients read them. */
  public long replyBytesPending() {
    return replyBytesPending.get();
  }

  /** Returns how many calls were ended because {@code maxPendingReplyBytes} were pending. */
  public long repliesRefused() {
    return repliesRefused.sum();
  }

  /**
   * Returns how many calls were reset with replies that their clients had not read: at a timeout,
   * at a stop, or because too many bytes were pending. The counter of that reason includes them
   * too.
   */
  public long repliesDropped() {
    return repliesDropped.sum();
  }

  /** Returns how many calls were ended by a timeout of the server. */
  public long callsTimedOut() {
    return callsTimedOut.sum();
  }

  /** Returns how many calls were still open after a stop's timeout and were cancelled. */
  public long callsCut() {
    return callsCut.sum();
  }

  /** Returns how many calls are missing from the access log because it fell behind. */
  public long accessRecordsDropped() {
    return accessRecordsDropped.sum();
  }

  /**
   * Returns how often changed TLS files could not be used. {@link
   * dev.mullion.net.TlsState#failedReloads} has the same count, also for channels.
   */
  public long tlsReloadsFailed() {
    return tlsReloadsFailed.sum();
  }

  /**
   * Returns how often an observer of calls has thrown: an access log, a meter registry, or an
   * OpenTelemetry. The calls continued.
   */
  public long observersFailed() {
    return observersFailed.sum();
  }

  /** Returns how many calls ended with {@code OK}. */
  public long callsSucceeded() {
    return callsEnded(Status.Code.OK);
  }

  /** Returns how many accepted calls ended with a status other than {@code OK}. */
  public long callsFailed() {
    long failed = 0;
    for (Status.Code code : Status.Code.values()) {
      failed += code == Status.Code.OK ? 0 : callsEnded(code);
    }
    return failed;
  }

  /** Returns how many accepted calls ended with a status. */
  public long callsEnded(Status.Code code) {
    return callsEnded[code.value()].sum();
  }

  /** Returns all counters by name. */
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

  /** Returns all counters with their values. */
  @Override
  public String toString() {
    return "RpcCounters" + asMap();
  }
}
