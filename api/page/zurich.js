// The few lines by which Zürich is recognised: its lake and its rivers, drawn by hand to some fifty metres, so that
// the map needs no tiles and no other address. A view of another place shows nothing of them.

/** The lake's north end: down the west shore from the Limmat, up the east shore. Pairs of latitude, longitude. */
const LAKE = [
  [47.3663, 8.5418], [47.3656, 8.5398], [47.3645, 8.5372], [47.3622, 8.5365], [47.3598, 8.5362], [47.3570, 8.5354],
  [47.3545, 8.5350], [47.3520, 8.5362], [47.3490, 8.5350], [47.3455, 8.5342], [47.3420, 8.5368], [47.3380, 8.5415],
  [47.3330, 8.5460], [47.3270, 8.5520], [47.3200, 8.5580], [47.3120, 8.5640], [47.3120, 8.5900], [47.3220, 8.5820],
  [47.3300, 8.5760], [47.3370, 8.5700], [47.3430, 8.5640], [47.3480, 8.5605], [47.3515, 8.5570], [47.3538, 8.5528],
  [47.3565, 8.5510], [47.3595, 8.5490], [47.3625, 8.5475], [47.3650, 8.5462], [47.3666, 8.5450],
];

const RIVERS = [
  { // The Limmat, out of the lake and down to the north-west.
    width_m: 55,
    course: [
      [47.3664, 8.5434], [47.3682, 8.5430], [47.3698, 8.5427], [47.3717, 8.5426], [47.3733, 8.5431], [47.3750, 8.5435],
      [47.3768, 8.5431], [47.3783, 8.5421], [47.3800, 8.5408], [47.3822, 8.5396], [47.3845, 8.5370], [47.3863, 8.5335],
      [47.3882, 8.5300], [47.3905, 8.5275], [47.3925, 8.5245], [47.3935, 8.5200], [47.3940, 8.5140], [47.3955, 8.5075],
      [47.3975, 8.5000], [47.3992, 8.4930], [47.4010, 8.4850], [47.4025, 8.4760],
    ],
  },
  { // The Sihl, from the hills in the south to the Limmat below the main station.
    width_m: 28,
    course: [
      [47.3822, 8.5394], [47.3803, 8.5385], [47.3785, 8.5372], [47.3765, 8.5357], [47.3745, 8.5343], [47.3722, 8.5322],
      [47.3700, 8.5298], [47.3675, 8.5265], [47.3650, 8.5240], [47.3625, 8.5222], [47.3595, 8.5205], [47.3560, 8.5200],
      [47.3530, 8.5208], [47.3500, 8.5202], [47.3460, 8.5180], [47.3410, 8.5168], [47.3350, 8.5155],
    ],
  },
];

const NAMES = [
  { name: "Zürichsee", at: [47.3600, 8.5425] },
  { name: "Limmat", at: [47.3868, 8.5345] },
  { name: "Sihl", at: [47.3572, 8.5212] },
  { name: "Hauptbahnhof", at: [47.3779, 8.5403], dot: true },
  { name: "Bellevue", at: [47.3670, 8.5452], dot: true },
];

const METRES_PER_DEGREE = 111_195;
const WATER = "rgb(74 122 168 / 0.20)";
const INK = "rgb(140 165 190 / 0.55)";

/** Draws them with `project`, which gives `x` and `y` of a `{ lat, lon }`. */
export function drawZurich(pen, project) {
  const trace = (course) => {
    pen.beginPath();
    for (const [lat, lon] of course) pen.lineTo(project.x({ lat, lon }), project.y({ lat, lon }));
  };
  const perMetre = (project.y({ lat: 0 }) - project.y({ lat: 1 })) / METRES_PER_DEGREE;
  pen.save();
  pen.lineJoin = pen.lineCap = "round";
  pen.fillStyle = pen.strokeStyle = WATER;
  trace(LAKE);
  pen.closePath();
  pen.fill();
  for (const { width_m, course } of RIVERS) {
    pen.lineWidth = Math.max(1.5, width_m * perMetre);
    trace(course);
    pen.stroke();
  }
  pen.fillStyle = INK;
  pen.font = "italic 11px system-ui, sans-serif";
  for (const { name, at: [lat, lon], dot } of NAMES) {
    const [x, y] = [project.x({ lat, lon }), project.y({ lat, lon })];
    if (dot) pen.fillRect(x - 1.5, y - 1.5, 3, 3);
    pen.fillText(name, x + (dot ? 6 : 0), y + 4);
  }
  pen.restore();
}
