import { Agreement } from './agreement.js';
import { AgreementView } from './agreement-view.js';
import { announcer } from './announcer.js';
import { ChannelPicker } from './channel-picker.js';
import { Choice } from './choice.js';
import { Credentials } from './credentials.js';
import { CredentialsView } from './credentials-view.js';
import { Hues } from './hues.js';
import { Lane } from './lane.js';
import { part } from './parts.js';
import { PublishForm } from './publish-form.js';
import { publishByHttp, publishByWebSocket } from './publisher.js';
import { SnippetsView } from './snippets-view.js';
import { SseConnection } from './sse-connection.js';
import { StartPicker } from './start-picker.js';
import { Toolbar } from './toolbar.js';
import { WebSocketConnection } from './websocket-connection.js';

const COMPARE_MILLISECONDS = 200;

const page = document.body;
const choice = new Choice();
const credentials = new Credentials();
const hues = new Hues();
const agreement = new Agreement();
const announce = announcer(part(page, 'announcer', HTMLElement));

const picker = new ChannelPicker(page, choice, hues);
new StartPicker(page, choice);
new SnippetsView(page, choice, credentials);
const credentialsView = new CredentialsView(page, credentials);

const shared = {
  choice,
  agreement,
  announce,
  askForChannel: () => picker.ask('Choose a channel to listen to first.'),
  hueOf: (/** @type {string} */ channel) => hues.of(channel),
};
/** @type {WebSocketConnection | undefined} */
let websocket;
const lanes = [
  new Lane({ ...shared, transport: 'sse', connect: (observer) => new SseConnection(observer, credentials) }),
  new Lane({
    ...shared,
    transport: 'websocket',
    connect: (observer) => {
      websocket = new WebSocketConnection(observer, credentials);
      return websocket;
    },
  }),
];
part(page, 'lanes', HTMLElement).append(...lanes.map((lane) => lane.element));
new Toolbar(page, lanes, agreement);

const form = new PublishForm(page, async (way, draft) => {
  const outcome =
    way === 'websocket' && websocket !== undefined
      ? await publishByWebSocket(websocket, draft)
      : await publishByHttp(draft, credentials.publishSecret);
  if (outcome.unauthenticated) credentialsView.ask(credentials.publishRefused(outcome.text, way));
  return outcome;
});

const verdict = new AgreementView(part(page, 'agreement', HTMLElement));
const compare = () => {
  const states = lanes.map((lane) => lane.state);
  verdict.show(
    agreement.verdict,
    states.every((state) => state !== 'off' && state !== 'closed'),
  );
  form.canUseWebSocket(websocket?.isOpen === true);
};
setInterval(compare, COMPARE_MILLISECONDS);

const welcome = part(page, 'welcome', HTMLElement);
part(welcome, 'try-demo', HTMLButtonElement).addEventListener('click', () => {
  choice.add(['demo']);
  choice.want('sse', true);
  choice.want('websocket', true);
  part(page, 'publish-data', HTMLTextAreaElement).focus();
});
part(page, 'origin', HTMLElement).textContent = location.host;

choice.onChange(() => {
  welcome.hidden = choice.channels.length > 0;
  form.suggest(choice.channels);
  credentials.forgive();
  for (const lane of lanes) lane.follow();
});
credentials.onChange((field) => {
  if (field !== 'token') return;
  for (const lane of lanes) lane.renew();
});
addEventListener('hashchange', () => choice.read());
choice.read();
compare();
