package dev.mullion.net.base;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import dev.mullion.framing.testing.Await;
import dev.mullion.framing.testing.Certificates;
import dev.mullion.net.Tls;
import dev.mullion.net.TlsState;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whatever is thrown, and whoever listens, the files are checked again. */
@Timeout(60)
class TlsReloaderTest {
  private static final Duration OFTEN = Duration.ofMillis(20);

  @TempDir
  Path directory;

  private Certificates known;
  private Path both;
  private final LongAdder failures = new LongAdder();
  private final List<TlsReloader> open = new ArrayList<>();

  @BeforeEach
  void makeCertificates() throws Exception {
    known = Certificates.in(directory);
    renew();
  }

  /** Both in one file, so that no check sees the new one of only one of them. */
  private void renew() throws Exception {
    known.renewServer();
    both = known.write(
        "both.pem", Files.readString(known.serverKey) + Files.readString(known.serverChain));
  }

  private void breakFile() throws IOException {
    known.write("both.pem", "half of it");
  }

  @AfterEach
  void close() {
    open.forEach(TlsReloader::close);
  }

  private TlsReloader started(
      Duration interval, UnaryOperator<SslContextBuilder> protocol, Runnable onFailure)
      throws IOException {
    TlsReloader reloader = TlsReloader.read(
        Tls.server(both, both).reloadInterval(interval), protocol, failures, onFailure);
    open.add(reloader);
    reloader.start();
    return reloader;
  }

  /** An error in one reload cancelled the checks of that server for good, and nobody was told. */
  @Test
  void errorInOneReloadDoesNotEndTheChecks() throws Exception {
    AtomicInteger made = new AtomicInteger();
    TlsReloader reloader = started(
        OFTEN,
        builder -> {
          if (made.incrementAndGet() == 2) {
            throw new LinkageError("no such class");
          }
          return builder;
        },
        () -> {});
    SslContext first = reloader.newest();

    renew();

    Await.until("the next check loads it", () -> reloader.state().reloads() > 0);
    assertThat(reloader.newest()).isNotSameAs(first);
    assertThat(failures.sum()).isEqualTo(1);
    assertThat(reloader.state().failure()).isNull();
  }

  @Test
  void listenerThatThrowsDoesNotEndTheChecks() throws Exception {
    TlsReloader reloader = started(OFTEN, UnaryOperator.identity(), () -> {
      throw new LinkageError("no registry");
    });

    breakFile();
    Await.until("it is noticed", () -> reloader.state().failedReloads() == 1);
    renew();

    Await.until("the new ones are loaded", () -> reloader.state().failure() == null);
    Await.until("and counted", () -> reloader.state().reloads() > 0);
  }

  /** The counter of a registry was called under the lock that the state needs. */
  @Test
  void listenerIsCalledWithoutALock() throws Exception {
    CompletableFuture<TlsReloader> reloader = new CompletableFuture<>();
    CompletableFuture<TlsState> seen = new CompletableFuture<>();
    reloader.complete(started(Duration.ZERO, UnaryOperator.identity(), () -> {
      CompletableFuture<TlsState> elsewhere = CompletableFuture.supplyAsync(() -> {
        assertThatExceptionOfType(IOException.class)
            .isThrownBy(() -> reloader.join().reload());
        return reloader.join().state();
      });
      seen.complete(elsewhere.orTimeout(20, TimeUnit.SECONDS).join());
    }));
    breakFile();

    assertThatExceptionOfType(IOException.class)
        .isThrownBy(() -> reloader.join().reload());

    assertThat(seen.join().failedReloads()).isEqualTo(1);
  }

  /** A registry that blocks would keep the files of all other servers from being checked. */
  @Test
  void listenerThatBlocksHoldsUpNoOtherChecks() throws Exception {
    CompletableFuture<Void> release = new CompletableFuture<>();
    CompletableFuture<String> thread = new CompletableFuture<>();
    TlsReloader reloader = started(OFTEN, UnaryOperator.identity(), () -> {
      thread.complete(Thread.currentThread().getName());
      release.orTimeout(40, TimeUnit.SECONDS).join();
    });

    breakFile();
    assertThat(thread.get(20, TimeUnit.SECONDS)).isEqualTo("mullion-tls-failure");
    renew();

    Await.until("it is loaded meanwhile", () -> reloader.state().reloads() > 0);
    release.complete(null);
  }

  @Test
  void errorIsThrownToWhoeverAskedForTheReload() throws Exception {
    AtomicInteger made = new AtomicInteger();
    TlsReloader reloader = started(
        Duration.ZERO,
        builder -> {
          if (made.incrementAndGet() == 2) {
            throw new LinkageError("no such class");
          }
          return builder;
        },
        () -> {});
    renew();

    assertThatExceptionOfType(LinkageError.class).isThrownBy(reloader::reload);
    assertThat(reloader.state())
        .isEqualTo(new TlsState(0, 1, "java.lang.LinkageError: no such class"));
    assertThat(reloader.reload()).isTrue();
    assertThat(reloader.reload()).isFalse();
    assertThat(reloader.state()).isEqualTo(new TlsState(1, 1, null));
  }
}
