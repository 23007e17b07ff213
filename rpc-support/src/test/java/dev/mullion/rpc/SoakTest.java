package dev.mullion.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import dev.mullion.framing.testing.Certificates;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random clients, good, slow and hostile ones, over TCP, TLS and unix sockets, call framed and gRPC
 * servers with small limits at the same time. Each good client has a model of what it must see, and
 * at the end every gauge, and what the process holds, is back where it began.
 *
 * <p>{@code -Dsoak.seconds=1800} runs it for half an hour, {@code -Dsoak.seed=17} with that seed.
 */
@Timeout(4 * 3600)
class SoakTest {
  private static final Duration LENGTH = Duration.ofSeconds(Long.getLong("soak.seconds", 2));
  private static final Duration WARM_UP = Duration.ofSeconds(Math.min(30, LENGTH.toSeconds() / 2));
  private static final long SEED = Long.getLong("soak.seed", System.nanoTime());

  private static final Duration A_WHILE = Duration.ofMinutes(1);

  /** Those that last until a timeout of the server's ends them: a short run warms up without. */
  private static final Set<String> WAITING = Set.of(
      "framed.garbage",
      "framed.halfFrame",
      "framed.onlyReceives",
      "rpc.garbage",
      "rpc.silent",
      "rpc.unread");

  /** What the pools of buffers may still grow by after a warm-up of one second. */
  private static final long POOLS = 64L << 20;

  @TempDir
  Path directory;

  @Test
  void goodClientsSeeWhatTheyMustAndNothingIsLeft() throws Exception {
    Certificates certificates = Certificates.in(directory.resolve("certificates"));
    try (SoakFramed framed = new SoakFramed(directory, certificates);
        SoakRpc rpc = new SoakRpc(directory, certificates)) {
      SoakRun run = new SoakRun(SEED);
      framed.clients(run);
      rpc.clients(run);
      run.forTime(WARM_UP, isShort() ? WAITING : Set.of());
      SoakHeld before = awaitQuiet(run, framed, rpc);
      run.forTime(LENGTH, Set.of());
      SoakHeld after = awaitQuiet(run, framed, rpc);

      System.out.println("soak of " + LENGTH.toSeconds() + " s, seed " + SEED + "\n" + run.summary()
          + framed.summary() + rpc.summary() + "before: " + before + "\nafter:  " + after);
      assertThat(run.wrong()).isEmpty();
      assertThat(after.beyond(before, isShort() ? POOLS : 16L << 20)).isEmpty();
    }
  }

  private static boolean isShort() {
    return LENGTH.compareTo(A_WHILE) < 0;
  }

  /** Waits until the servers have no client, and returns what is held then. */
  private static SoakHeld awaitQuiet(SoakRun run, SoakFramed framed, SoakRpc rpc) throws Exception {
    run.expect("framed servers are quiet", framed::awaitQuiet);
    run.expect("gRPC servers are quiet", rpc::awaitQuiet);
    return SoakHeld.now();
  }
}
