package dev.mullion.examples.prices;

import dev.mullion.messaging.EmbeddedBroker;
import dev.mullion.messaging.EmbeddedEngine;
import dev.mullion.messaging.Messaging;
import dev.mullion.messaging.Subscription;
import dev.mullion.messaging.grpc.GrpcEngine;
import dev.mullion.messaging.grpc.MessagingServer;
import dev.mullion.rpc.RpcChannel;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import picocli.CommandLine;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.Spec;

/** Publishes prices to a screen and an archive, in one process or in two, or on a broker. */
@Command(name = "prices", description = "Publishes prices to a screen and an archive.")
public final class PricesMain implements Callable<Integer> {
  private static final String DEFAULT = "eu.paris=17.20|us.boston=18.01|eu.rome=16.90";

  @Spec
  private CommandSpec spec;

  @ArgGroup
  private final Network network = new Network();

  @Option(names = "--help", usageHelp = true, description = "prints this and ends")
  private boolean help;

  @Parameters(
      paramLabel = "[PLACE=PRICE...]",
      hideParamSyntax = true,
      arity = "0..*",
      split = "\\|",
      defaultValue = DEFAULT,
      description = "prices to publish (default: ${DEFAULT-VALUE})")
  private Map<String, String> prices;

  private static final class Network {
    @Option(
        names = "--serve",
        paramLabel = "[HOST:]PORT",
        converter = HostPort.Converter.class,
        description = "runs screen and archive until Ctrl-C; port 0 for any")
    private HostPort serve;

    @Option(
        names = "--connect",
        paramLabel = "HOST:PORT",
        converter = HostPort.Converter.class,
        description = "publishes to the process that serves there")
    private HostPort connect;

    @ArgGroup(exclusive = false)
    private BrokerOptions broker;
  }

  private PricesMain() {}

  public static void main(String[] args) {
    CommandLine program = new CommandLine(new PricesMain());
    System.exit(program.setCaseInsensitiveEnumValuesAllowed(true).execute(args));
  }

  @Override
  public Integer call() throws InterruptedException {
    rejectUnused();
    try {
      if (network.serve != null) {
        serve(network.serve);
      } else if (network.connect != null) {
        connect(network.connect);
      } else if (network.broker != null) {
        onBroker(network.broker);
      } else {
        inOneProcess();
      }
      return 0;
    } catch (IOException | IllegalArgumentException | TimeoutException e) {
      System.err.println("prices: " + e.getMessage());
      return 1;
    }
  }

  /** Rejects prices that nobody here would publish. */
  private void rejectUnused() {
    boolean isUsed = network.serve == null && (network.broker == null || network.broker.sends());
    if (!isUsed && spec.commandLine().getParseResult().hasMatchedPositional(0)) {
      throw new ParameterException(
          spec.commandLine(),
          "PLACE=PRICE: not with --serve or --only=receiver, which publish none");
    }
  }

  private void inOneProcess() throws IOException, InterruptedException, TimeoutException {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(broker)) {
      messaging.declare(Prices.ARCHIVE);
      Prices.show(messaging);
      Prices.publish(messaging, prices);
      broker.awaitIdle(Duration.ofSeconds(10));
      System.out.println("the archive opens");
      Prices.archive(messaging);
      broker.awaitIdle(Duration.ofSeconds(10));
    }
  }

  private static void serve(HostPort at) throws IOException, InterruptedException {
    try (EmbeddedBroker broker = EmbeddedEngine.inMemory().start();
        Messaging messaging = Messaging.on(broker);
        MessagingServer server = MessagingServer.builder(broker)
            .host(at.host())
            .port(at.port())
            .shutdownHook(true)
            .start()) {
      Prices.show(messaging);
      Prices.archive(messaging);
      System.out.println("listening on " + at.host() + ":" + server.port());
      server.awaitTermination();
    }
  }

  private void connect(HostPort to) throws IOException, InterruptedException {
    try (RpcChannel channel = RpcChannel.builder().address(to.host(), to.port()).build();
        Messaging messaging = Messaging.on(GrpcEngine.on(channel))) {
      Prices.publish(messaging, prices);
    }
  }

  private void onBroker(BrokerOptions broker)
      throws IOException, InterruptedException, TimeoutException {
    try (Messaging messaging = broker.start()) {
      messaging.declare(Prices.ARCHIVE);
      Subscription screen = broker.receives() ? Prices.show(messaging) : null;
      if (broker.sends()) {
        Prices.publish(messaging, prices);
      }
      if (broker.receives()) {
        System.out.println("the archive opens");
        Subscription archive = Prices.archive(messaging);
        if (broker.sends()) {
          awaitHandled(archive, prices.size());
          awaitHandled(
              screen, prices.keySet().stream().filter(PricesMain::isOfEurope).count());
        } else {
          Runtime.getRuntime().addShutdownHook(new Thread(messaging::close));
          new CountDownLatch(1).await();
        }
      }
    }
  }

  private static boolean isOfEurope(String place) {
    return place.startsWith("eu.");
  }

  private static void awaitHandled(Subscription subscription, long count)
      throws InterruptedException, TimeoutException {
    long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(30);
    while (subscription.counters().acknowledged() < count) {
      if (System.nanoTime() - end > 0) {
        throw new TimeoutException("not all prices arrived within 30 s");
      }
      Thread.sleep(50);
    }
  }
}
