import { beforeEach, expect, test } from 'vitest';
import { DeliveryLedger, type SubscriberPage } from '../../support/delivery-ledger.ts';

const CHANNEL = 'orders';

let ledger: DeliveryLedger;
let page: SubscriberPage;

beforeEach(() => {
  ledger = new DeliveryLedger();
  page = ledger.page('reader', [CHANNEL, 'chat']);
});

function accept(...ids: string[]): void {
  for (const id of ids) ledger.accept('publisher', CHANNEL, id, `data of ${id}`);
}

function get(...ids: string[]): void {
  for (const id of ids) page.message(CHANNEL, id, `data of ${id}`);
}

function rewound(after: string): void {
  page.gap(CHANNEL, after, 'rewound');
}

test('all, once and in order, is no fault', () => {
  accept('1-0', '2-0', '3-0');
  get('1-0', '2-0', '3-0');
  expect(ledger.faults()).toEqual([]);
});

test('a message that did not come is lost, whether others came after it or not', () => {
  accept('1-0', '2-0', '3-0');
  get('1-0', '3-0');
  expect(ledger.faults()).toEqual([`reader: 1 lost: 2-0 of ${CHANNEL}`]);
  accept('4-0');
  expect(ledger.faults()).toEqual([`reader: 2 lost: 2-0 of ${CHANNEL}, 4-0 of ${CHANNEL}`]);
});

test('a gap in its place excuses a loss, if it was to be expected', () => {
  accept('1-0', '2-0', '3-0', '4-0');
  get('1-0');
  rewound('1-0');
  get('4-0');
  expect(ledger.faults()).toEqual([`reader: 1 told of a gap: rewound on ${CHANNEL} after 1-0`]);
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL] });
  expect(ledger.faults()).toEqual([]);
  expect(ledger.missing()).toEqual([`reader: 2-0 of ${CHANNEL}`, `reader: 3-0 of ${CHANNEL}`]);
});

test.each([
  ['before the last message that came before it', ['gap', '1-0', '3-0']],
  ['after the next message that came', ['1-0', '3-0', 'gap']],
])('a gap that was told %s excuses nothing', (_when, order) => {
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL] });
  accept('1-0', '2-0', '3-0');
  for (const each of order) {
    if (each === 'gap') rewound('0-0');
    else get(each);
  }
  expect(ledger.faults()).toEqual([`reader: 1 lost: 2-0 of ${CHANNEL}`]);
});

test('a gap excuses nothing that its cursor is not before, and nothing on another channel', () => {
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL, 'chat'] });
  accept('1-0', '2-0', '3-0');
  get('1-0');
  rewound('2-0');
  page.gap('chat', '1-0', 'rewound');
  get('3-0');
  expect(ledger.faults()).toEqual([`reader: 1 lost: 2-0 of ${CHANNEL}`]);
});

test('where there is a fault, it says which gaps were told and between which messages', () => {
  expect(ledger.gapsTold()).toBe('');
  get('1-0');
  rewound('1-0');
  expect(ledger.gapsTold()).toBe(`reader: rewound on ${CHANNEL} after 1-0, told between 1-0 and the end`);
});

test('what was accepted when the fault was over must come, whatever gap was told', () => {
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL] });
  accept('1-0');
  ledger.healed();
  accept('2-0');
  rewound('0-0');
  expect(ledger.faults()).toEqual([`reader: 1 lost: 2-0 of ${CHANNEL}`]);
});

test('a gap of another reason, on another channel or to another subscriber than expected is a fault', () => {
  ledger.page('other', [CHANNEL]);
  ledger.expectGap({ reason: 'trimmed', channels: [CHANNEL], due: false });
  ledger.expectGap({ reason: 'rewound', channels: ['chat'], due: false });
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL], due: false, to: ['other'] });
  rewound('1-0');
  expect(ledger.faults()).toEqual([`reader: 1 told of a gap: rewound on ${CHANNEL} after 1-0`]);
});

test('a gap that is due has to be told to everyone it is due to, on each channel', () => {
  const other = ledger.page('other', [CHANNEL]);
  ledger.page('bystander', [CHANNEL]);
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL, 'chat'], to: ['reader', 'other'] });
  rewound('1-0');
  expect(ledger.faults()).toEqual([
    'reader: 1 not told of a gap: rewound on chat',
    `other: 1 not told of a gap: rewound on ${CHANNEL}`,
  ]);
  page.gap('chat', '1-0', 'rewound');
  other.gap(CHANNEL, '1-0', 'rewound');
  expect(ledger.faults()).toEqual([]);
});

test('the same id twice is a double, and so are the same data under two ids', () => {
  accept('1-0', '2-0');
  get('1-0', '1-0', '2-0');
  expect(ledger.faults()).toEqual(['reader: 1 doubled: 1-0']);
  ledger.mayHaveTaken(CHANNEL, 'twice');
  page.message(CHANNEL, '3-0', 'twice');
  page.message(CHANNEL, '4-0', 'twice');
  ledger.accept('publisher', CHANNEL, '4-0', 'twice');
  expect(ledger.faults()).toEqual(['reader: 2 doubled: 1-0, 4-0 is 3-0 once more']);
});

test('what a log that went back had lost may come again under another id, with a gap in between', () => {
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL] });
  ledger.expectGap({ reason: 'rewound', channels: ['chat'], due: false });
  ledger.mayHaveTaken(CHANNEL, 'twice');
  page.message(CHANNEL, '1-0', 'twice');
  rewound('1-0');
  page.message(CHANNEL, '2-0', 'twice');
  ledger.accept('publisher', CHANNEL, '2-0', 'twice');
  expect(ledger.faults()).toEqual([]);
});

test('a message that nobody was told of may come only where its publisher cannot know', () => {
  page.message(CHANNEL, '1-0', 'refused');
  expect(ledger.faults()).toEqual(['reader: 1 never accepted: 1-0 "refused"']);
  ledger.mayHaveTaken(CHANNEL, 'refused');
  expect(ledger.faults()).toEqual([]);
});

test('an older id after a newer one is out of order, also for publishers, and other data under an id are altered', () => {
  accept('1-0', '3-0');
  ledger.accept('another', CHANNEL, '2-0', 'data of 2-0');
  get('1-0', '3-0', '2-0');
  expect(ledger.faults()).toEqual(['reader: 1 out of order: 2-0 after 3-0']);
  accept('4-0', '4-0');
  page.message(CHANNEL, '4-0', 'something else');
  expect(ledger.faults()).toEqual([
    `publisher was given 4-0 after 4-0 on ${CHANNEL}`,
    `4-0 was given twice on ${CHANNEL}`,
    'reader: 1 out of order: 2-0 after 3-0',
    'reader: 1 altered: 4-0',
  ]);
});

test('it settles when all has come, and all that is due was told', async () => {
  ledger.expectGap({ reason: 'rewound', channels: [CHANNEL] });
  accept('1-0', '2-0');
  get('1-0');
  await ledger.settle(0.05);
  expect(ledger.faults()).toHaveLength(2);
  const settled = ledger.settle();
  rewound('1-0');
  get('2-0');
  await settled;
  expect(ledger.faults()).toEqual([]);
});
