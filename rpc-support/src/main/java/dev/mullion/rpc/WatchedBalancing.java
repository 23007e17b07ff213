package dev.mullion.rpc;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import dev.mullion.net.base.BoundedLog;
import dev.mullion.net.base.Check;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ConnectivityState;
import io.grpc.ConnectivityStateInfo;
import io.grpc.EquivalentAddressGroup;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.ForwardingClientCallListener.SimpleForwardingClientCallListener;
import io.grpc.LoadBalancer;
import io.grpc.LoadBalancerProvider;
import io.grpc.LoadBalancerRegistry;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.NameResolver;
import io.grpc.Status;
import io.grpc.SynchronizationContext.ScheduledHandle;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.util.ForwardingLoadBalancer;
import io.grpc.util.ForwardingLoadBalancerHelper;
import io.grpc.util.ForwardingSubchannel;
import java.lang.System.Logger.Level;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * gRPC's own load balancing policies with three additions. Each address has a share of the connect
 * timeout. A failure to connect has the address and an explanation. A silent health service does
 * not prevent calls to its server.
 */
final class WatchedBalancing extends LoadBalancerProvider {
  /** All calls go to the first reachable address. */
  static final String PICK_FIRST = register("pick_first");

  /** Calls go to all servers in turn. */
  static final String ROUND_ROBIN = register("round_robin");

  private static final NameResolver.Args.Key<Settings> SETTINGS =
      NameResolver.Args.Key.create("mullion-balancing");

  private enum Event {
    SILENT_HEALTH_SERVICE
  }

  private static final BoundedLog<Event> LOG =
      new BoundedLog<>(System.getLogger(WatchedBalancing.class.getName()), Event.class);

  /** The parts of the channel that a balancer uses. */
  record Settings(ConnectAttempts attempts, ConnectFailures failures) {
    /** Returns how long a health service may take to answer. */
    Duration forHealth() {
      Duration half = attempts.connectTimeout().dividedBy(2);
      Duration most = Duration.ofSeconds(2);
      return half.compareTo(most) < 0 ? half : most;
    }
  }

  private final String policy;

  private WatchedBalancing(String policy) {
    this.policy = policy;
  }

  private static String register(String policy) {
    WatchedBalancing provider = new WatchedBalancing(policy);
    LoadBalancerRegistry.getDefaultRegistry().register(provider);
    return provider.getPolicyName();
  }

  /** Sets one of these policies for a channel. */
  static void apply(ManagedChannelBuilder<?> builder, String policyName, Settings settings) {
    builder.setNameResolverArg(SETTINGS, settings);
    builder.defaultLoadBalancingPolicy(policyName);
  }

  @Override
  public boolean isAvailable() {
    return true;
  }

  @Override
  public int getPriority() {
    return 5;
  }

  @Override
  public String getPolicyName() {
    return "mullion_" + policy;
  }

  @Override
  public LoadBalancer newLoadBalancer(LoadBalancer.Helper helper) {
    LoadBalancerProvider own = LoadBalancerRegistry.getDefaultRegistry().getProvider(policy);
    if (own == null) {
      throw new IllegalStateException(
          "no load balancer " + policy + " (expected: io.grpc:grpc-core)");
    }
    Settings settings = helper.getNameResolverArgs().getArg(SETTINGS);
    return settings == null
        ? own.newLoadBalancer(helper)
        : new Shares(
            own.newLoadBalancer(new Watching(helper, settings)),
            settings.attempts(),
            policy.equals("pick_first"));
  }

  /** Gives each address its share of the connect timeout. */
  private static final class Shares extends ForwardingLoadBalancer {
    private final LoadBalancer balancer;
    private final ConnectAttempts attempts;
    private final boolean oneAfterTheOther;

    Shares(LoadBalancer balancer, ConnectAttempts attempts, boolean oneAfterTheOther) {
      this.balancer = balancer;
      this.attempts = attempts;
      this.oneAfterTheOther = oneAfterTheOther;
    }

    @Override
    protected LoadBalancer delegate() {
      return balancer;
    }

    @Override
    public Status acceptResolvedAddresses(ResolvedAddresses resolved) {
      return balancer.acceptResolvedAddresses(withShares(resolved));
    }

    private ResolvedAddresses withShares(ResolvedAddresses resolved) {
      List<EquivalentAddressGroup> groups = resolved.getAddresses();
      int all = groups.stream().mapToInt(each -> each.getAddresses().size()).sum();
      return resolved.toBuilder()
          .setAddresses(groups.stream()
              .map(each ->
                  withShare(each, oneAfterTheOther ? all : each.getAddresses().size()))
              .toList())
          .build();
    }

    private EquivalentAddressGroup withShare(EquivalentAddressGroup group, int addresses) {
      return new EquivalentAddressGroup(
          group.getAddresses(),
          group.getAttributes().toBuilder()
              .set(ConnectAttempts.NANOS, attempts.share(addresses))
              .build());
    }
  }

  private static final class Watching extends ForwardingLoadBalancerHelper {
    private final LoadBalancer.Helper helper;
    private final Settings settings;

    Watching(LoadBalancer.Helper helper, Settings settings) {
      this.helper = helper;
      this.settings = settings;
    }

    @Override
    protected LoadBalancer.Helper delegate() {
      return helper;
    }

    @Override
    public LoadBalancer.Subchannel createSubchannel(LoadBalancer.CreateSubchannelArgs args) {
      return new Watched(helper.createSubchannel(args), helper, settings);
    }
  }

  /** One server. */
  private static final class Watched extends ForwardingSubchannel {
    private final LoadBalancer.Subchannel subchannel;
    private final LoadBalancer.Helper helper;
    private final Settings settings;

    /** Whether a connection was ever ready, which requires the server's HTTP/2 settings. */
    private boolean answered;

    Watched(LoadBalancer.Subchannel subchannel, LoadBalancer.Helper helper, Settings settings) {
      this.subchannel = subchannel;
      this.helper = helper;
      this.settings = settings;
    }

    @Override
    protected LoadBalancer.Subchannel delegate() {
      return subchannel;
    }

    @Override
    public void start(LoadBalancer.SubchannelStateListener listener) {
      subchannel.start(state -> listener.onSubchannelState(explained(state)));
    }

    private ConnectivityStateInfo explained(ConnectivityStateInfo state) {
      if (state.getState() == ConnectivityState.READY) {
        answered = true;
        settings.failures().answered();
      }
      return state.getState() == ConnectivityState.TRANSIENT_FAILURE
          ? ConnectivityStateInfo.forTransientFailure(
              settings.failures().ofConnection(state.getStatus(), getAllAddresses(), answered))
          : state;
    }

    /** Returns the channel for health checks. */
    @Override
    public @Nullable Channel asChannel() {
      Channel channel = subchannel.asChannel();
      return channel == null
          ? null
          : ClientInterceptors.intercept(channel, new ClientInterceptor() {
            @Override
            public <Q, R> ClientCall<Q, R> interceptCall(
                MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
              ClientCall<Q, R> call = next.newCall(method, options);
              return HealthGrpc.getWatchMethod()
                      .getFullMethodName()
                      .equals(method.getFullMethodName())
                  ? new HealthWatch<>(call)
                  : call;
            }
          });
    }

    /** A health watch that reports {@code SERVING} if the server does not answer in time. */
    private final class HealthWatch<Q, R> extends SimpleForwardingClientCall<Q, R> {
      HealthWatch(ClientCall<Q, R> call) {
        super(call);
      }

      @Override
      @SuppressWarnings("unchecked") // The type of the replies.
      public void start(Listener<R> listener, Metadata headers) {
        R serving = (R)
            HealthCheckResponse.newBuilder().setStatus(ServingStatus.SERVING).build();
        Duration time = settings.forHealth();
        ScheduledHandle silent = helper
            .getSynchronizationContext()
            .schedule(
                () -> {
                  LOG.log(
                      Event.SILENT_HEALTH_SERVICE,
                      Level.WARNING,
                      getAllAddresses(),
                      () -> "health service did not answer within " + time
                          + ", calling its server anyway " + getAllAddresses());
                  listener.onMessage(serving);
                },
                Check.nanos(time),
                NANOSECONDS,
                helper.getScheduledExecutorService());
        super.start(
            new SimpleForwardingClientCallListener<>(listener) {
              @Override
              public void onMessage(R message) {
                silent.cancel();
                super.onMessage(message);
              }

              @Override
              public void onClose(Status status, Metadata trailers) {
                silent.cancel();
                super.onClose(status, trailers);
              }
            },
            headers);
      }
    }
  }
}
